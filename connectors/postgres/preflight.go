package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/jackc/pgx/v5"
)

// Level of a finding.
type Level string

// A Fault stops capture or harms the database; a Warning may later; a Note is
// to be known.
const (
	Fault   Level = "fault"
	Warning Level = "warning"
	Note    Level = "note"
)

// Unreachable is the Check of a source that could not be looked at because it was
// away.
const Unreachable = "unreachable"

// Finding is one thing that preflight saw.
type Finding struct {
	Level Level `json:"level"`
	// Check names what was looked at, for scripts: "wal_level".
	Check string `json:"check,omitempty"`
	// What was seen and what it means, in one line.
	What string `json:"what"`
	// Mend is the statement, or the command of ours, that mends it as it
	// stands; empty when that is for a person to decide.
	Mend string `json:"mend,omitempty"`
	// Advice is what to think of before, or in place of, Mend.
	Advice string `json:"advice,omitempty"`
}

// Unseen is something that the role's rights, or SQL itself, do not show, and
// how it can be seen.
type Unseen struct {
	What string `json:"what"`
	How  string `json:"how"`
}

// Disk is what SQL tells of the server's disk, in bytes.
type Disk struct {
	Database int64 `json:"database_bytes"`
	// Captured is what the described tables take, with indexes and TOAST: what
	// the first snapshot reads, at the most.
	Captured int64 `json:"captured_tables_bytes"`
	// WAL is the size of pg_wal; nil when the role may not see it.
	WAL *int64 `json:"wal_bytes"`
	// MaxWAL is max_wal_size, KeepWAL max_slot_wal_keep_size; nil for no limit.
	MaxWAL  int64  `json:"max_wal_size_bytes"`
	KeepWAL *int64 `json:"max_slot_wal_keep_size_bytes"`
}

// Report is what preflight says of one source.
type Report struct {
	Source   string    `json:"source"`
	Version  string    `json:"version"`
	Tables   int       `json:"tables"`
	Disk     *Disk     `json:"disk,omitempty"` // nil when the database was not reached
	Findings []Finding `json:"findings"`
	Unseen   []Unseen  `json:"unseen,omitempty"`
}

// OK tells whether capture can start.
func (r Report) OK() bool {
	return !slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Level == Fault })
}

// Target is what preflight looks at.
type Target struct {
	Source, Slot, Publication string
	Sector                    sectors.Sector
	// Role is the one that will capture, when the connection is an
	// administrator's and not the role's own: it need not be there yet.
	Role string
	// Patience is the age at which an open or a prepared transaction is told; 0
	// for five minutes.
	Patience time.Duration
}

// patience is the default of Target.Patience: making a slot waits for every
// transaction that is open then.
const patience = 5 * time.Minute

// preflight is one look at one database.
type preflight struct {
	Target
	Report
	conn    *pgx.Conn
	catalog *Catalog
	version int // server_version_num
	role    string
	super   bool
	absent  bool // the role is not there yet
	// locked are the tables, and partitions, that someone holds in ACCESS
	// EXCLUSIVE, and the tables that have such a partition: what would
	// wait for them is left out.
	locked map[uint32]bool
}

// Preflight looks at the database, through the connection of the role that will
// capture it, or of an administrator (Target.Role), without changing anything.
// The connection is not fit for anything else then.
func Preflight(ctx context.Context, conn *pgx.Conn, target Target) (Report, error) {
	if target.Patience == 0 {
		target.Patience = patience
	}
	p := &preflight{Target: target, locked: map[uint32]bool{}, Report: Report{Source: target.Source, Findings: []Finding{}}, conn: conn, catalog: NewCatalog(conn)}
	// For the rest of the connection; a check never stands in anyone's way.
	if _, err := conn.Exec(ctx, "SET lock_timeout = '"+setupLockTimeout+"'"); err != nil {
		return p.Report, fmt.Errorf("preflight: %w", err)
	}
	for _, look := range []func(context.Context) error{p.server, p.otherSlots, p.transactions, p.bloat, p.become, p.rights, p.ownSlot, p.tables} {
		if err := look(ctx); err != nil {
			return p.Report, fmt.Errorf("preflight: %w", err)
		}
	}
	return p.Report, nil
}

func (p *preflight) add(f Finding, format string, args ...any) {
	f.What = fmt.Sprintf(format, args...)
	p.Findings = append(p.Findings, f)
}

// enable is the command that sets the database up as the sector file says.
func (p *preflight) enable() string { return "hopluu connector enable " + p.Target.Source }

func (p *preflight) tables(ctx context.Context) error {
	state, err := readPublication(ctx, p.conn, p.Publication)
	if err != nil {
		return err
	}
	if !state.exists {
		p.add(Finding{Level: Fault, Check: "publication", Mend: p.enable()}, "publication %s is missing", p.Publication)
	} else if !state.everything {
		p.add(Finding{Level: Fault, Check: "publication", Mend: "ALTER PUBLICATION " + pgx.Identifier{p.Publication}.Sanitize() + " SET (" + publishEverything + ");"}, "publication %s leaves out changes", p.Publication)
	}
	var wanted []string
	var relations []Relation
	var oids []uint32
	for _, t := range p.Sector.Tables {
		relation, err := p.catalog.Relation(ctx, t.Schema, t.Name)
		if errors.Is(err, ErrNoTable) {
			p.add(Finding{Level: Fault, Check: "table", Advice: "create it, or take it out of the sector file"}, "table %s is described in the sector file but not in the database", t.Schema+"."+t.Name)
			relation, err = Relation{}, nil
		}
		if err != nil {
			return err
		}
		relations = append(relations, relation)
		if relation.OID != 0 {
			wanted, oids = append(wanted, relation.Name()), append(oids, relation.OID)
		}
	}
	p.Tables = len(oids)
	if err := p.locks(ctx, oids); err != nil {
		return err
	}
	shapes, err := p.catalog.Shapes(ctx, p.Publication, wanted...)
	if err != nil {
		return err
	}
	for i, relation := range relations {
		if relation.OID == 0 {
			continue
		}
		// Without a publication there is one finding, not one a table.
		if err := p.table(ctx, p.Sector.Tables[i], relation, shapes[relation.Name()].Published != 0, state.exists); err != nil {
			return err
		}
	}
	return nil
}
