package linkage

import (
	"embed"
	"fmt"
	"strings"
)

// models are the models that come with the program, as they are described;
// those in trained are the same with weights; beside them stand the frequencies of their
// values, where records are decided one by one.
//
//go:embed models/*.yaml models/trained
var models embed.FS

// Defaults are the names of the models that come with the program.
func Defaults() []string {
	entries, err := models.ReadDir("models")
	if err != nil {
		return nil // the folder is embedded
	}
	var all []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".yaml"); ok {
			all = append(all, name)
		}
	}
	return all
}

// DefaultText gives the description of a model, with its comments and without
// weights.
func DefaultText(name string) ([]byte, error) {
	text, err := models.ReadFile("models/" + name + ".yaml")
	if err != nil {
		return nil, fmt.Errorf("there is no model %q: use a file, or one of %s", name, strings.Join(Defaults(), ", "))
	}
	return text, nil
}

// Default gives a model that comes with the program: with weights where there
// are any.
func Default(name string) (*Model, error) {
	text, err := models.ReadFile("models/trained/" + name + ".yaml")
	if err != nil {
		if text, err = DefaultText(name); err != nil {
			return nil, err
		}
	}
	return ParseModel(text)
}

// Described gives a model that comes with the program without weights, to be
// trained.
func Described(name string) (*Model, error) {
	text, err := DefaultText(name)
	if err != nil {
		return nil, err
	}
	return ParseModel(text)
}

// DefaultFrequencies gives how common the values are of the city that a model
// that comes with the program was trained on.
func DefaultFrequencies(name string) (*Frequencies, error) {
	text, err := models.ReadFile("models/trained/" + name + ".frequencies.tsv")
	if err != nil {
		return nil, fmt.Errorf("model %q has no frequencies: use city", name)
	}
	return ParseFrequencies(text)
}
