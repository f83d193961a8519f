package sectors

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// FileError is what is wrong with a sector file, and what to do about it.
type FileError struct {
	File string
	Line int    // from 1; 0 when the file as a whole is meant
	At   string // "table patient, column cccd"; empty above the tables
	Msg  string
}

func (e *FileError) Error() string {
	s := e.File
	if e.Line > 0 {
		s += fmt.Sprintf(":%d", e.Line)
	}
	if e.At != "" {
		s += ": " + e.At
	}
	return s + ": " + e.Msg
}

// Parse reads one sector file strictly: an unknown or repeated key is refused
// with its line, and so is every broken rule of validate. Errors are
// *FileError, joined when there are several. Schema, System and Owner of the
// tables are filled in from their defaults.
func Parse(file string, data []byte) (*Sector, error) {
	tree, err := parser.ParseBytes(data, 0)
	if err != nil {
		return nil, yamlError(file, err)
	}
	if len(tree.Docs) != 1 {
		return nil, &FileError{File: file, Msg: fmt.Sprintf("holds %d YAML documents; write one sector a file", len(tree.Docs))}
	}
	if err := plain(file, tree); err != nil {
		return nil, err
	}
	var s Sector
	if err := yaml.NewDecoder(bytes.NewReader(data), yaml.Strict()).Decode(&s); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, &FileError{File: file, Msg: "is empty; describe a sector in it or remove it"}
		}
		return nil, yamlError(file, err)
	}
	if err := validate(file, &s, tree); err != nil {
		return nil, err
	}
	for i := range s.Tables {
		t := &s.Tables[i]
		if t.Schema == "" {
			t.Schema = "public"
		}
		if t.System == 0 {
			t.System = s.System
		}
		if t.Undescribed == "" {
			t.Undescribed = s.Undescribed
		}
		if t.Owner == (Text{}) {
			t.Owner = s.Owner
		}
	}
	return &s, nil
}

// plain refuses tags, anchors, aliases and merge keys: a sector file is read by
// people of many departments, and the YAML library cannot be trusted with all
// of them (a tag on a list makes it panic).
func plain(file string, tree *ast.File) error {
	var v plainVisitor
	for _, doc := range tree.Docs {
		if doc.Body != nil {
			ast.Walk(&v, doc.Body)
		}
	}
	if v.found == nil {
		return nil
	}
	return &FileError{File: file, Line: firstLine(v.found), Msg: fmt.Sprintf("uses a YAML %s; write the value itself", strings.ToLower(v.found.Type().String()))}
}

// plainVisitor finds the first node that is not plain YAML.
type plainVisitor struct{ found ast.Node }

func (v *plainVisitor) Visit(n ast.Node) ast.Visitor {
	switch n.Type() {
	case ast.TagType, ast.AnchorType, ast.AliasType, ast.MergeKeyType, ast.DirectiveType:
		if v.found == nil {
			v.found = n
		}
		return nil
	}
	return v
}

// yamlError makes one line of the library's errors, whose text spans several
// lines with the source.
func yamlError(file string, err error) error {
	var y yaml.Error
	if !errors.As(err, &y) {
		return fmt.Errorf("%s: %w", file, err)
	}
	e := &FileError{File: file, Msg: y.GetMessage()}
	if tok := y.GetToken(); tok != nil && tok.Position != nil {
		e.Line = tok.Position.Line
	}
	var unknown *yaml.UnknownFieldError
	if errors.As(err, &unknown) {
		e.Msg += "; remove it or correct its spelling"
	}
	return e
}

// UnmarshalYAML takes `direct` or the mapping of via and to.
func (p *Person) UnmarshalYAML(n ast.Node) error {
	if s, ok := n.(*ast.StringNode); ok {
		if s.Value != "direct" {
			return &yaml.SyntaxError{Token: n.GetToken(), Message: fmt.Sprintf("person is %q; write `direct` or `{via: column, to: table}`", s.Value)}
		}
		*p = Person{Direct: true}
		return nil
	}
	var by struct {
		Via string `yaml:"via"`
		To  string `yaml:"to"`
	}
	if err := yaml.NodeToValue(n, &by, yaml.Strict()); err != nil {
		return err
	}
	*p = Person{Via: by.Via, To: by.To}
	return nil
}
