package linkage

import (
	"embed"
	"fmt"
	"slices"
	"strings"
)

//go:embed models/*.yaml
var models embed.FS

// Defaults are the names of the models that come with the program.
func Defaults() []string {
	entries, err := models.ReadDir("models")
	if err != nil {
		return nil // the folder is embedded
	}
	var all []string
	for _, e := range entries {
		all = append(all, strings.TrimSuffix(e.Name(), ".yaml"))
	}
	slices.Sort(all)
	return all
}

// Default gives a model that comes with the program, by its name.
func Default(name string) (*Model, error) {
	text, err := models.ReadFile("models/" + name + ".yaml")
	if err != nil {
		return nil, fmt.Errorf("there is no model %q: use a file, or one of %s", name, strings.Join(Defaults(), ", "))
	}
	return ParseModel(text)
}
