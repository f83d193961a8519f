package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hopluu/hopluu/connectors/postgres/checkpoint"
	"github.com/hopluu/hopluu/connectors/postgres/pgvalue"
	"github.com/jackc/pgx/v5"
)

// Relation is a table as the database or its stream describes it.
type Relation struct {
	OID           uint32
	Schema, Table string
	Columns       []pgvalue.Column
	// Primary are the columns of the primary key, in its order.
	Primary []string
	// Identity is pg_class.relreplident: d(efault), n(othing), f(ull), i(ndex).
	Identity string
	// IdentityColumns are those that old rows are sent with, but for f(ull).
	IdentityColumns []string
	Partitioned     bool
	// Filter is the row filter that the table is published with, as SQL; empty
	// for none, and until Narrow was asked.
	Filter string
}

// Name is "schema.table".
func (r Relation) Name() string { return r.Schema + "." + r.Table }

// Catalog answers what the stream does not say: primary keys and the types
// that are not built in.
type Catalog struct {
	conn  *pgx.Conn
	types map[uint32]typeRow
	// digits are those of money, -1 until they are asked for.
	digits int
}

// NewCatalog reads through conn, one call at a time.
func NewCatalog(conn *pgx.Conn) *Catalog {
	return &Catalog{conn: conn, types: map[uint32]typeRow{}, digits: -1}
}

// ErrNoTable says that the database has no such table, or that our role may
// not see it.
var ErrNoTable = errors.New("no such table")

// ErrNoType says that a column's type is gone from the database, since its
// change was written.
var ErrNoType = errors.New("the type is gone from the database")

// Relation describes a table as it is now. Generated columns are left out, as
// pgoutput leaves them out.
func (c *Catalog) Relation(ctx context.Context, schema, table string) (Relation, error) {
	r := Relation{Schema: schema, Table: table}
	err := c.conn.QueryRow(ctx, `
		SELECT c.oid, c.relreplident::text,
		       coalesce((SELECT array_agg(a.attname::text ORDER BY k.ord)
		                 FROM pg_index i, unnest(i.indkey) WITH ORDINALITY k(num, ord), pg_attribute a
		                 WHERE i.indrelid = c.oid AND i.indisprimary AND a.attrelid = c.oid AND a.attnum = k.num AND k.ord <= i.indnkeyatts), '{}'),
		       coalesce((SELECT array_agg(a.attname::text ORDER BY a.attnum)
		                 FROM pg_index i, unnest(i.indkey) WITH ORDINALITY k(num, ord), pg_attribute a
		                 WHERE i.indrelid = c.oid AND (i.indisreplident AND c.relreplident = 'i' OR i.indisprimary AND c.relreplident = 'd')
		                   AND a.attrelid = c.oid AND a.attnum = k.num AND k.ord <= i.indnkeyatts), '{}'),
		       c.relkind = 'p'
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p')`, schema, table).Scan(&r.OID, &r.Identity, &r.Primary, &r.IdentityColumns, &r.Partitioned)
	if errors.Is(err, pgx.ErrNoRows) {
		return Relation{}, fmt.Errorf("%s.%s: %w", schema, table, ErrNoTable)
	}
	if err != nil {
		return Relation{}, fmt.Errorf("describe %s.%s: %w", schema, table, err)
	}
	rows, err := c.conn.Query(ctx, `
		SELECT attname::text, atttypid, atttypmod, attndims::int FROM pg_attribute
		WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum`, r.OID)
	if err != nil {
		return Relation{}, fmt.Errorf("describe %s: %w", r.Name(), err)
	}
	r.Columns, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (pgvalue.Column, error) {
		var col pgvalue.Column
		return col, row.Scan(&col.Name, &col.OID, &col.Typmod, &col.Dims)
	})
	if err != nil {
		return Relation{}, fmt.Errorf("describe %s: %w", r.Name(), err)
	}
	return r, c.Resolve(ctx, r.Columns)
}

// Narrow leaves of a relation what its publication sends: the columns of its
// list and, as Filter, the rows. A snapshot that keeps to it gives what the
// stream gives (P5).
func (c *Catalog) Narrow(ctx context.Context, publication string, r Relation) (Relation, error) {
	if c.before15() {
		return r, nil // neither lists nor filters
	}
	var listed []string
	var filter *string
	err := c.conn.QueryRow(ctx, `
		SELECT (SELECT array_agg(a.attname::text) FROM pg_attribute a WHERE a.attrelid = r.prrelid AND a.attnum = ANY (r.prattrs::int2[])), pg_get_expr(r.prqual, r.prrelid)
		FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid WHERE p.pubname = $1 AND r.prrelid = $2`, publication, r.OID).Scan(&listed, &filter)
	if errors.Is(err, pgx.ErrNoRows) {
		return r, nil // not published, or as one of all tables
	}
	if err != nil {
		return r, fmt.Errorf("describe %s as it is published: %w", r.Name(), err)
	}
	if listed != nil {
		r.Columns = slices.DeleteFunc(slices.Clone(r.Columns), func(c pgvalue.Column) bool { return !slices.Contains(listed, c.Name) })
	}
	if filter != nil {
		r.Filter = *filter
	}
	return r, nil
}

func (c *Catalog) before15() bool {
	return strings.HasPrefix(c.conn.PgConn().ParameterStatus("server_version"), "14")
}

// Shapes describes tables, "schema.table" each, as they are now and as they
// stand in the publication. One that is not there has OID 0.
func (c *Catalog) Shapes(ctx context.Context, publication string, tables ...string) (map[string]checkpoint.Shape, error) {
	// Not the view pg_publication_tables: it locks every table of the
	// publication, and would wait behind an ALTER TABLE that waits for us.
	bySchema := "false"
	if !c.before15() {
		bySchema = "EXISTS (SELECT FROM pg_publication_namespace s WHERE s.pnpubid = p.oid AND s.pnnspid = n.oid)"
	}
	rows, err := c.conn.Query(ctx, `
		SELECT n.nspname || '.' || c.relname, c.oid, c.relfilenode,
		       coalesce((SELECT r.oid FROM pg_publication_rel r WHERE r.prpubid = p.oid AND r.prrelid = c.oid),
		                CASE WHEN p.puballtables OR `+bySchema+` THEN p.oid END, 0),
		       c.relpersistence <> 'p',
		       array_agg(a.attname::text ORDER BY a.attnum), array_agg(a.attnum ORDER BY a.attnum),
		       array_agg(a.atttypid::bigint ORDER BY a.attnum), array_agg(a.atttypmod ORDER BY a.attnum), array_agg(a.atthasmissing ORDER BY a.attnum),
		       array_agg(a.xmin::text::bigint ORDER BY a.attnum), array_agg(a.attgenerated <> '' ORDER BY a.attnum),
		       `+partsOf+`
		FROM pg_class c
		JOIN pg_namespace n ON n.oid = c.relnamespace
		JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
		LEFT JOIN pg_publication p ON p.pubname = $1
		WHERE c.relkind IN ('r', 'p') AND n.nspname || '.' || c.relname = ANY ($2)
		GROUP BY n.oid, n.nspname, c.relname, c.oid, c.relfilenode, c.relkind, c.relpersistence, p.oid, p.puballtables`, publication, tables)
	if err != nil {
		return nil, fmt.Errorf("describe the tables: %w", err)
	}
	shapes := make(map[string]checkpoint.Shape, len(tables))
	var table string
	var shape checkpoint.Shape
	var names []string
	var numbers []int16
	var types, made []int64
	var typmods []int32
	var filled, generated []bool
	var parts *string
	_, err = pgx.ForEachRow(rows, []any{&table, &shape.OID, &shape.Relfilenode, &shape.Published, &shape.Unlogged, &names, &numbers, &types, &typmods, &filled, &made, &generated, &parts}, func() (err error) {
		shape.Columns = make([]checkpoint.Column, len(names))
		for i := range names {
			shape.Columns[i] = checkpoint.Column{Name: names[i], Number: numbers[i], Type: uint32(types[i]), Typmod: typmods[i], Filled: filled[i], Made: uint32(made[i]), Generated: generated[i]}
		}
		if shape.Parts, err = readParts(parts); err != nil {
			return err
		}
		shapes[table] = shape
		return nil
	})
	if err == nil {
		err = c.prints(ctx, shapes)
	}
	if err != nil {
		return nil, fmt.Errorf("describe the tables: %w", err)
	}
	return shapes, nil
}

// ownTypes is the first number of the types that a database has of its own.
const ownTypes = 16384

// prints fills in what the text of the columns' own types depends on: labels of
// enums and fields of composites, also those within arrays, domains, ranges and
// composites.
func (c *Catalog) prints(ctx context.Context, shapes map[string]checkpoint.Shape) error {
	var types []int64
	for _, shape := range shapes {
		for _, column := range shape.Columns {
			if column.Type >= ownTypes && !slices.Contains(types, int64(column.Type)) {
				types = append(types, int64(column.Type))
			}
		}
	}
	if len(types) == 0 {
		return nil
	}
	rows, err := c.conn.Query(ctx, `
		WITH RECURSIVE used(of, typ) AS (
			SELECT typ, typ FROM unnest($1::bigint[]::oid[]) typ
			UNION
			SELECT used.of, part.typ FROM used JOIN pg_type t ON t.oid = used.typ CROSS JOIN LATERAL (
				SELECT t.typelem UNION ALL SELECT t.typbasetype
				UNION ALL SELECT r.rngsubtype FROM pg_range r WHERE t.oid IN (r.rngtypid, r.rngmultitypid)
				UNION ALL SELECT a.atttypid FROM pg_attribute a WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped) part(typ)
			WHERE part.typ >= $2)
		SELECT used.of, e.oid, e.enumlabel::text FROM used JOIN pg_enum e ON e.enumtypid = used.typ
		UNION ALL
		SELECT used.of, t.oid, string_agg(a.attnum || ' ' || a.atttypid || ' ' || a.atttypmod, ',' ORDER BY a.attnum)
		FROM used JOIN pg_type t ON t.oid = used.typ JOIN pg_attribute a ON a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
		GROUP BY used.of, t.oid
		ORDER BY 1, 2`, types, ownTypes)
	if err != nil {
		return err
	}
	byType := map[uint32][]checkpoint.Print{}
	var of uint32
	var p checkpoint.Print
	if _, err := pgx.ForEachRow(rows, []any{&of, &p.OID, &p.Text}, func() error {
		byType[of] = append(byType[of], p)
		return nil
	}); err != nil {
		return err
	}
	for name, shape := range shapes {
		shape.Prints = map[int16][]checkpoint.Print{}
		for _, column := range shape.Columns {
			if prints := byType[column.Type]; len(prints) > 0 {
				shape.Prints[column.Number] = prints
			}
		}
		shapes[name] = shape
	}
	return nil
}

type typeRow struct {
	name   string
	kind   string // pg_type.typtype: b(ase), e(num), d(omain), c(omposite), r(ange), m(ultirange)
	elem   uint32
	base   uint32
	typmod int32
	dims   int  // of a domain over an array
	array  bool // but for int2vector and oidvector, which print as no array does
	// delimiter is between the elements of an array of the type.
	delimiter byte
}

const moneyType = 790 // src/include/catalog/pg_type.dat

// Resolve fills in what the columns' type numbers mean in this database.
func (c *Catalog) Resolve(ctx context.Context, columns []pgvalue.Column) error {
	for i := range columns {
		if err := c.resolve(ctx, &columns[i]); err != nil {
			return err
		}
	}
	return nil
}

func (c *Catalog) resolve(ctx context.Context, column *pgvalue.Column) error {
	t, err := c.lookup(ctx, column.OID)
	if err != nil {
		return fmt.Errorf("type of column %s: %w", column.Name, err)
	}
	column.TypeName = t.name
	column.Enum = t.kind == "e"
	switch {
	case column.OID == moneyType:
		column.MoneyDigits, err = c.moneyDigits(ctx)
		return err
	case t.kind == "d":
		typmod := t.typmod
		if column.Typmod >= 0 {
			typmod = column.Typmod
		}
		column.Base = &pgvalue.Column{Name: column.Name, OID: t.base, Typmod: typmod, Dims: t.dims}
		return c.resolve(ctx, column.Base)
	case t.array:
		elem, err := c.lookup(ctx, t.elem)
		if err != nil {
			return fmt.Errorf("type of column %s: %w", column.Name, err)
		}
		column.Delimiter = elem.delimiter
		column.Elem = &pgvalue.Column{Name: column.Name, OID: t.elem, Typmod: column.Typmod}
		err = c.resolve(ctx, column.Elem)
		column.MoneyDigits = column.Elem.MoneyDigits
		return err
	}
	return nil
}

// moneyDigits asks how many digits after the point money has in the database:
// money is a whole number of the currency's smallest unit, and lc_monetary
// alone, as it is set for the database and our role, tells how much that is.
func (c *Catalog) moneyDigits(ctx context.Context) (int, error) {
	if c.digits >= 0 {
		return c.digits, nil
	}
	var unit []byte
	err := func() error {
		if _, err := c.conn.Exec(ctx, `RESET lc_monetary`); err != nil {
			return err
		}
		// One of the currency in its smallest units, as money's eight bytes.
		if err := c.conn.QueryRow(ctx, `SELECT cash_send('1'::money)`).Scan(&unit); err != nil {
			return err
		}
		_, err := c.conn.Exec(ctx, `SET lc_monetary = 'C'`)
		return err
	}()
	if err != nil {
		return 0, fmt.Errorf("ask for the digits of money: %w", err)
	}
	digits, err := digitsOf(unit)
	if err != nil {
		return 0, err
	}
	c.digits = digits
	return digits, nil
}

// digitsOf counts the digits of a currency whose unit is so many of its
// smallest.
func digitsOf(unit []byte) (digits int, err error) {
	if len(unit) != 8 {
		return 0, fmt.Errorf("ask for the digits of money: %d bytes of money, not 8", len(unit))
	}
	for n := binary.BigEndian.Uint64(unit); n > 1; n /= 10 {
		digits++
	}
	return digits, nil
}

func (c *Catalog) lookup(ctx context.Context, oid uint32) (typeRow, error) {
	if t, ok := c.types[oid]; ok {
		return t, nil
	}
	var t typeRow
	err := c.conn.QueryRow(ctx, `
		SELECT typname::text, typtype::text, typelem, typbasetype, typtypmod, typndims,
		       typsubscript = 'array_subscript_handler'::regproc AND typlen = -1 AND oid NOT IN (22, 30), ascii(typdelim::text)
		FROM pg_type WHERE oid = $1`, oid).Scan(&t.name, &t.kind, &t.elem, &t.base, &t.typmod, &t.dims, &t.array, &t.delimiter)
	if errors.Is(err, pgx.ErrNoRows) {
		return typeRow{}, fmt.Errorf("type %d: %w", oid, ErrNoType)
	}
	if err != nil {
		return typeRow{}, fmt.Errorf("type %d: %w", oid, err)
	}
	c.types[oid] = t
	return t, nil
}
