package postgres

import (
	"encoding/json"
	"fmt"

	"github.com/hopluu/hopluu/connectors/postgres/checkpoint"
)

// partsOf gives the partitions with rows of the table c of pg_class, as JSON for
// readParts; NULL when it has none. It reads catalogs alone: the server's own
// pg_partition_tree locks what it lists.
//
// A partition that was made as one (CREATE TABLE ... PARTITION OF) has columns
// that nobody touched since its own were made; ATTACH PARTITION writes the
// entries of all columns again, and so does no other command that adds rows. An
// ALTER TABLE of all columns makes it look attached, which costs a snapshot. Its
// first heap has the number of the table itself (heap_create_with_catalog); one
// that was truncated since, by itself, has another.
const partsOf = `(
	WITH RECURSIVE tree(oid, born, attached) AS (
		SELECT c.oid, true, '' WHERE c.relkind = 'p'
		UNION ALL
		SELECT i.inhrelid, t.born AND EXISTS (
			SELECT FROM pg_attribute own JOIN pg_attribute made ON made.attrelid = own.attrelid AND made.attnum = -1
			WHERE own.attrelid = i.inhrelid AND own.attnum > 0 AND own.xmin = made.xmin AND own.cmin = made.cmin), t.attached || i.xmin::text || '.'
		FROM tree t JOIN pg_inherits i ON i.inhparent = t.oid AND NOT i.inhdetachpending)
	SELECT jsonb_agg(jsonb_build_object('oid', part.oid::bigint, 'relfilenode', part.relfilenode::bigint, 'born', t.born AND part.relfilenode = part.oid, 'attached', t.attached) ORDER BY part.oid)::text
	FROM tree t JOIN pg_class part ON part.oid = t.oid AND part.relkind = 'r')`

func readParts(text *string) (parts []checkpoint.Part, err error) {
	if text == nil {
		return nil, nil
	}
	if err := json.Unmarshal([]byte(*text), &parts); err != nil {
		return nil, fmt.Errorf("partitions: %w", err)
	}
	return parts, nil
}
