package registry

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
)

// normal is the form by which two schemas are the same: white space and the
// order of a JSON object's members do not matter, nor does {"type":"x"} against
// "x". Docs, defaults, aliases and custom properties do: another doc is another
// version, since readers show it.
func normal(schema string) (string, error) {
	d := json.NewDecoder(bytes.NewReader([]byte(schema)))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return "", fmt.Errorf("the schema is not JSON: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return "", fmt.Errorf("the schema has something after its end")
	}
	b, err := json.Marshal(unwrapType(v)) // sorts the members
	if err != nil {
		return "", fmt.Errorf("the schema cannot be written again: %w", err)
	}
	return string(b), nil
}

// unwrapType makes {"type": T} of T wherever a schema may stand; defaults are
// left as they are.
func unwrapType(v any) any {
	switch v := v.(type) {
	case []any: // a union, or the fields of a record
		for i := range v {
			v[i] = unwrapType(v[i])
		}
	case map[string]any:
		for _, k := range []string{"type", "items", "values", "fields"} {
			if inner, ok := v[k]; ok {
				v[k] = unwrapType(inner)
			}
		}
		if len(v) == 1 && v["type"] != nil {
			return v["type"]
		}
	}
	return v
}
