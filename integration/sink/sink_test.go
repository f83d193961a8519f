package sink

import (
	"testing"

	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/sectors"
)

// notes is a sector with one table, whose name no other test has.
func notes() (*sectors.Set, string) {
	name := harness.Name("zz")
	return &sectors.Set{Sectors: []sectors.Sector{{
		Sector: name, System: 5, Name: sectors.Text{Vi: "Thử nghiệm", En: "Trial"}, Owner: sectors.Text{Vi: "Sở", En: "Department"},
		Tables: []sectors.Table{{
			Name: "note", Schema: "public", Meaning: sectors.Text{Vi: "Ghi chép", En: "Notes"},
			Columns: []sectors.Column{{Name: "id", Type: "bigint", Meaning: sectors.Text{Vi: "Số", En: "Number"}, Sensitivity: sectors.Internal}},
		}},
	}}}, name
}

var noteColumns = []column{
	{"id", "bigint", true}, {"kind", "note_kind", false}, {"body", "text", false}, {"cost", "numeric(14,2)", false},
	{"born", "date", false}, {"seen", "timestamp with time zone", false}, {"at", "timestamp without time zone", false}, {"tags", "text[]", false},
}

func TestEventsBecomeRows(t *testing.T) {
	set, sector := notes()
	w := newWorld(t, set)
	f := w.feed(harness.Name("his"), sector, "note", 3, noteColumns...)
	w.run()
	f.create(1, "in", "một", "12.50", "2024-02-29", "2024-02-29 10:00:00+00", "2024-02-29 10:00:00", `{a,NULL,"b c"}`)
	f.create(2, "out", nil, nil, nil, nil, nil, nil)
	f.create(3, "out", "ba", "-1", "1900-01-01", "1999-12-31 23:59:59.999999+00", nil, "{}")
	f.update(2, "in", "hai", "2.00", nil, nil, nil, nil)
	f.delete(3)
	f.commit()
	w.expect("SELECT id, kind, body, cost, born, seen, at, tags FROM silver."+sector+"_note FINAL ORDER BY id",
		`(1,'in','một',12.5,'2024-02-29','2024-02-29 10:00:00.000000','2024-02-29 10:00:00.000000',['a',NULL,'b c'])`,
		`(2,'in','hai',2,NULL,NULL,NULL,[])`)
	w.expect("SELECT _offset >= 0, _record, _op, _is_deleted, _source = '"+f.source+"', id FROM bronze."+sector+"_note ORDER BY _version",
		`(1,'`+f.source+`.note:1','c',0,1,1)`, `(1,'`+f.source+`.note:2','c',0,1,2)`, `(1,'`+f.source+`.note:3','c',0,1,3)`,
		`(1,'`+f.source+`.note:2','u',0,1,2)`, `(1,'`+f.source+`.note:3','d',1,1,3)`)
	// The views: FINAL hidden, local times; digits without a zone are local
	// already.
	w.expect("SELECT id, toString(seen), toString(at) FROM silver.v_"+sector+"_note ORDER BY id",
		`(1,'2024-02-29 17:00:00.000000','2024-02-29 10:00:00.000000')`, `(2,NULL,NULL)`)
	w.expect("SELECT id, _op, body, _deleted, _valid_to IS NULL FROM silver."+sector+"_note_history ORDER BY _version",
		`(1,'c','một',false,1)`, `(2,'c',NULL,false,0)`, `(3,'c','ba',false,0)`, `(2,'u','hai',false,1)`, `(3,'d',NULL,true,1)`)
	w.expect("SELECT comment FROM system.columns WHERE database = 'silver' AND table = '"+sector+"_note' AND name = 'id'", `('Số — Number')`)
	w.expect("SELECT meaning_vi, owner_en FROM ops.catalogue FINAL WHERE sector = '"+sector+"' ORDER BY position", `('Ghi chép','Department')`, `('Số','Department')`)
}
