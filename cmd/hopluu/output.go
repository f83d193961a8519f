package main

import (
	"encoding/json"
	"fmt"
	"io"
)

// printJSON writes a result for scripts.
func printJSON(w io.Writer, result any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(result); err != nil {
		return fmt.Errorf("standard output: %w", err)
	}
	return nil
}
