package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/caarlos0/env/v11"
)

// Variables of ours that are not configuration keys.
var (
	notKeys     = []string{"HOPLUU_CONFIG", "HOPLUU_CACHE", "HOPLUU_BY"}
	notPrefixes = []string{"HOPLUU_TEST_", "HOPLUU_DEMO_"}
)

// Overrides lists the variables of an environment that change the
// configuration, sorted.
func Overrides(environ []string) []string {
	return slices.Sorted(maps.Keys(variables(environ)))
}

func variables(environ []string) map[string]string {
	vars := map[string]string{}
	for _, e := range environ {
		name, value, ok := strings.Cut(e, "=")
		if !ok || !strings.HasPrefix(name, "HOPLUU_") || slices.Contains(notKeys, name) {
			continue
		}
		if !slices.ContainsFunc(notPrefixes, func(p string) bool { return strings.HasPrefix(name, p) }) {
			vars[name] = value
		}
	}
	return vars
}

// override lays the environment over the file. A HOPLUU_ variable that names
// no key is refused like an unknown key of the file.
func override(c *Config, environ []string) error {
	vars := variables(environ)
	known := map[string]bool{}
	parse := func(into any, prefix string) error {
		params, err := env.GetFieldParamsWithOptions(into, env.Options{Prefix: prefix})
		if err != nil {
			return err
		}
		for _, p := range params {
			known[p.Key] = true
			value, ok := vars[p.Key]
			if !ok {
				continue
			}
			// One at a time: the library's error names the field, which many
			// keys have in common.
			err := env.ParseWithOptions(into, env.Options{Prefix: prefix, Environment: map[string]string{p.Key: value}})
			var wrong env.ParseError
			if errors.As(err, &wrong) {
				return fmt.Errorf("environment variable %s is no %s: %w", p.Key, wrong.Type, wrong.Err)
			}
			if err != nil {
				return fmt.Errorf("environment variable %s: %s", p.Key, oneLine(err.Error()))
			}
		}
		return nil
	}
	if err := parse(c, "HOPLUU_"); err != nil {
		return err
	}
	for i := range c.Sources {
		if err := parse(&c.Sources[i], "HOPLUU_SOURCE_"+strings.ToUpper(c.Sources[i].Name)+"_"); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		if !known[name] {
			return fmt.Errorf("environment variable %s names no key: unset it, or see 'hopluu config example'", name)
		}
	}
	return nil
}
