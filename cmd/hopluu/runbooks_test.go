package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
)

const root = "../.."

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(data)
}

// shellWords divides a line as a shell does, as far as documents need it: quotes,
// comments, and the end of a command at | ; & or >.
func shellWords(line string) (words []string) {
	var word strings.Builder
	var quote rune
	inWord := false
	end := func() {
		if inWord {
			words = append(words, word.String())
		}
		word.Reset()
		inWord = false
	}
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '"' || r == '\'':
			quote, inWord = r, true
		case r == ' ' || r == '\t':
			end()
		case r == '#' && !inWord, strings.ContainsRune("|;&>", r):
			end()
			return words
		default:
			word.WriteRune(r)
			inWord = true
		}
	}
	end()
	return words
}

// shown are the commands of the program in a document's shell blocks.
func shown(text string) (lines []string) {
	shell := false
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", " ")) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "```"):
			shell = line == "```sh"
		case shell && strings.HasPrefix(line, "hopluu "):
			lines = append(lines, line)
		}
	}
	return lines
}

// parses refuses a line that the program would refuse for its command, flags or
// arguments.
func parses(t *testing.T, document, line string) {
	t.Helper()
	command := known(t, document, line)
	require.NoError(t, command.ValidateArgs(command.Flags().Args()), "%s: %s", document, line)
}

// known refuses a line whose command or flags the program does not have: in a
// sentence the arguments may be left out.
func known(t *testing.T, document, line string) *cobra.Command {
	t.Helper()
	words := shellWords(line)[1:]
	command, rest, err := rootCommand().Find(words)
	require.NoError(t, err, "%s: %s", document, line)
	// A group takes no arguments: what is left would be a command that it has not.
	require.False(t, command.HasSubCommands() && command.DisableFlagsInUseLine && len(rest) > 0, "%s: %s", document, line)
	command.Flags().AddFlagSet(command.InheritedFlags())
	require.NoError(t, command.ParseFlags(rest), "%s: %s", document, line)
	return command
}

var (
	triedBy = regexp.MustCompile("`(Test[A-Za-z0-9_]+)`\\s+\\(([a-z/]+)\\)")
	inline  = regexp.MustCompile("`(hopluu [^`]+)`")
	logged  = regexp.MustCompile("log[^`|\n]*?:?\\s`([^`]+)`")
)

// A runbook's commands are the program's, its tests exist, what it quotes from the
// log is what the program says, and the index names it.
func TestRunbooks(t *testing.T) {
	var sources strings.Builder
	for _, folder := range []string{"cmd", "connectors", "processors", "sinks", "schemas"} {
		require.NoError(t, filepath.WalkDir(filepath.Join(root, folder), func(path string, d fs.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
				sources.WriteString(read(t, path))
			}
			return err
		}))
	}
	folder := filepath.Join(root, "deploy/runbooks")
	index := read(t, filepath.Join(folder, "README.md"))
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	books := 0
	for _, e := range entries {
		text := read(t, filepath.Join(folder, e.Name()))
		commands := shown(text)
		for _, line := range commands {
			parses(t, e.Name(), line)
		}
		sentences := inline.FindAllStringSubmatch(text, -1)
		for _, m := range sentences {
			known(t, e.Name(), m[1])
		}
		require.NotEmpty(t, len(commands)+len(sentences), "%s shows no command", e.Name())
		if e.Name() == "README.md" {
			continue
		}
		books++
		require.Contains(t, index, "("+e.Name()+")", "the index does not name it")
		_, tried, _ := strings.Cut(text, "Tried by")
		tests := triedBy.FindAllStringSubmatch(tried, -1)
		require.NotEmpty(t, tests, "%s names no test that tries it", e.Name())
		for _, m := range tests {
			found := false
			files, err := filepath.Glob(filepath.Join(root, m[2], "*_test.go"))
			require.NoError(t, err)
			for _, f := range files {
				found = found || strings.Contains(read(t, f), "func "+m[1]+"(")
			}
			require.True(t, found, "%s: there is no test %s in %s", e.Name(), m[1], m[2])
		}
		for _, m := range logged.FindAllStringSubmatch(text, -1) {
			require.True(t, strings.Contains(sources.String(), m[1]), "%s quotes %q, which the program never says", e.Name(), m[1])
		}
	}
	require.GreaterOrEqual(t, books, 6)
}

// The commands that documents show are the program's.
func TestDocumentsShowRealCommands(t *testing.T) {
	documents, err := filepath.Glob(filepath.Join(root, "docs/*.md"))
	require.NoError(t, err)
	seen := 0
	for _, path := range append(documents, filepath.Join(root, "README.md")) {
		for _, line := range shown(read(t, path)) {
			if slices.ContainsFunc([]string{"…", "SOURCE", "["}, func(s string) bool { return strings.Contains(line, s) }) {
				continue // a form, and no command
			}
			seen++
			parses(t, path, line)
		}
	}
	require.Greater(t, seen, 20)
}
