package main

import (
	"testing"

	"github.com/hopluu/hopluu/cmd/hopluu/operations/reconcile"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/stretchr/testify/require"
)

// A table is named as other commands name it, or without its source.
func TestTableOfASource(t *testing.T) {
	s := reconcile.Source{Name: "health", Sector: sectors.Sector{Tables: []sectors.Table{{Name: "patient", Schema: "public"}}}}
	for name, want := range map[string]string{
		"health.public.patient": "public.patient", "public.patient": "public.patient",
		"tax.public.patient": "", "other.patient": "", "patient": "", "health.public.room": "", "": "", "a.b.c.d": "",
	} {
		require.Equal(t, want, ofSource(s, name), name)
	}
}
