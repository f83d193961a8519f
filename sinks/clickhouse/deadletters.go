package clickhouse

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/hopluu/hopluu/schemas/topic"
)

// DeadLetters is what an operator does with the sink's dead letters. What is
// asked for is done by the sink that has the partition, when it runs.
type DeadLetters struct{ server *server }

// Letter is a dead letter as ops.dead_letter has it.
type Letter struct {
	topic.Partition
	Offset   int64
	At       time.Time // since when it is in its state
	Written  time.Time // to Kafka
	Dataset  string
	State    string // LetterOpen, ...
	Reason   string
	Record   string // name of the record; empty when its key cannot be read
	SchemaID uint32
	Key      []byte
	Value    []byte
}

// Settled tells that the letter was retried or discarded, and waits no more.
func (l *Letter) Settled() bool {
	return l.State != LetterOpen && l.State != letterRetrying && l.State != letterDiscarding
}

// Selection says which dead letters are meant: those of a topic, or of all when
// it is empty; of one partition, or of all when it is negative; at one offset, or
// at all when it is negative.
type Selection struct {
	Topic     string
	Partition int32
	Offset    int64
}

// String names the selection for people.
func (s Selection) String() string {
	switch {
	case s.Topic == "":
		return "dead letters of all topics"
	case s.Offset >= 0:
		return fmt.Sprintf("dead letter %s-%d at %d", s.Topic, s.Partition, s.Offset)
	case s.Partition >= 0:
		return fmt.Sprintf("dead letters of %s-%d", s.Topic, s.Partition)
	}
	return "dead letters of " + s.Topic
}

func (s Selection) where() string {
	conditions := []string{"1"}
	if s.Topic != "" {
		conditions = append(conditions, "topic = "+quote(s.Topic))
	}
	if s.Partition >= 0 {
		conditions = append(conditions, fmt.Sprintf("partition = %d", s.Partition))
	}
	if s.Offset >= 0 {
		conditions = append(conditions, fmt.Sprintf("offset = %d", s.Offset))
	}
	return strings.Join(conditions, " AND ")
}

// OpenDeadLetters connects to ClickHouse. Close ends it.
func OpenDeadLetters(options *clickhouse.Options) (*DeadLetters, error) {
	s, err := open(options)
	if err != nil {
		return nil, err
	}
	return &DeadLetters{s}, nil
}

// Close ends the connection.
func (d *DeadLetters) Close() error { return d.server.conn.Close() }

// List gives dead letters in the order of topic, partition and offset, without
// their bytes: those that are not settled, or all.
func (d *DeadLetters) List(ctx context.Context, sel Selection, all bool, limit int) ([]Letter, error) {
	where := sel.where()
	if !all {
		where += " AND " + unsettledLetters
	}
	return d.read(ctx, where, "''", "''", limit)
}

// Show gives one dead letter with its bytes; ok is false when there is none.
func (d *DeadLetters) Show(ctx context.Context, p topic.Partition, offset int64) (l Letter, ok bool, err error) {
	found, err := d.read(ctx, Selection{p.Topic, p.ID, offset}.where(), "key", "value", 1)
	if err != nil || len(found) == 0 {
		return Letter{}, false, err
	}
	return found[0], true, nil
}

const unsettledLetters = "state IN ('" + LetterOpen + "', '" + letterRetrying + "', '" + letterDiscarding + "')"

func (d *DeadLetters) read(ctx context.Context, where, key, value string, limit int) (found []Letter, err error) {
	err = d.server.query(ctx, fmt.Sprintf("SELECT topic, partition, offset, at, written, dataset, state, reason, record, schema_id, %s, %s FROM ops.dead_letter FINAL WHERE %s ORDER BY topic, partition, offset LIMIT %d", key, value, where, limit), func(rows driver.Rows) error {
		var l Letter
		var key, value string
		if err := rows.Scan(&l.Topic, &l.ID, &l.Offset, &l.At, &l.Written, &l.Dataset, &l.State, &l.Reason, &l.Record, &l.SchemaID, &key, &value); err != nil {
			return err
		}
		l.Key, l.Value = []byte(key), []byte(value)
		found = append(found, l)
		return nil
	})
	if missing(err) {
		return nil, fmt.Errorf("ops.dead_letter is not there: has 'hopluu sink run' ever run with this ClickHouse? %w", err)
	}
	return found, err
}

// Asked is what was asked of the sinks, and what became of it.
type Asked struct {
	Letters int64 // that are meant, with those that wait behind them
	Waiting int64 // that no sink has dealt with yet
	Open    int64 // that cannot be applied still
}

// Request is one thing that was asked of the sinks.
type Request struct {
	server *server
	where  string // the letters that are meant
	total  int64
}

// Retry asks for dead letters to be applied again, with those that wait behind
// them, in the order of their offsets.
func (d *DeadLetters) Retry(ctx context.Context, sel Selection) (*Request, error) {
	return d.request(ctx, sel, func(meant, where string) []string {
		return []string{changeLetters(where+" AND state = '"+LetterOpen+"'", quote(letterRetrying), "reason")}
	})
}

// Discard asks for dead letters to be given up, for a reason that is kept with
// them; what waits behind them is applied.
func (d *DeadLetters) Discard(ctx context.Context, sel Selection, why string) (*Request, error) {
	return d.request(ctx, sel, func(meant, where string) []string {
		return []string{
			changeLetters(meant+" AND state = '"+LetterOpen+"'", quote(letterDiscarding), "concat(reason, "+quote(" (discarded: "+why+")")+")"),
			changeLetters(where+" AND state = '"+LetterOpen+"'", quote(letterRetrying), "reason"),
		}
	})
}

// request writes what is asked for. meant are the letters that were named, where
// also has those behind them: of the same key, at higher offsets.
func (d *DeadLetters) request(ctx context.Context, sel Selection, statements func(meant, where string) []string) (*Request, error) {
	var offsets []string
	err := d.server.query(ctx, `SELECT DISTINCT topic, partition, offset
FROM
(
    SELECT topic, partition, offset, if(record = '', key, record) AS name
    FROM ops.dead_letter FINAL WHERE `+unsettledLetters+`
) AS behind
INNER JOIN
(
    SELECT topic, partition, if(record = '', key, record) AS name, min(offset) AS first
    FROM ops.dead_letter FINAL WHERE `+unsettledLetters+` AND `+sel.where()+`
    GROUP BY topic, partition, name
) AS meant ON behind.topic = meant.topic AND behind.partition = meant.partition AND behind.name = meant.name
WHERE behind.offset = meant.first OR behind.offset > meant.first AND (meant.name != '' OR behind.offset IN (SELECT offset FROM ops.dead_letter FINAL WHERE `+unsettledLetters+` AND `+sel.where()+`))`, func(rows driver.Rows) error {
		var p topic.Partition
		var offset int64
		if err := rows.Scan(&p.Topic, &p.ID, &offset); err != nil {
			return err
		}
		offsets = append(offsets, fmt.Sprintf("(%s, %d, %d)", quote(p.Topic), p.ID, offset))
		return nil
	})
	if missing(err) {
		return nil, fmt.Errorf("ops.dead_letter is not there: has 'hopluu sink run' ever run with this ClickHouse? %w", err)
	}
	if err != nil || len(offsets) == 0 {
		return &Request{}, err
	}
	where := "(topic, partition, offset) IN (" + strings.Join(offsets, ", ") + ")"
	for _, sql := range statements(sel.where()+" AND "+where, where) {
		if err := d.server.exec(ctx, sql); err != nil {
			return nil, err
		}
	}
	return &Request{d.server, where, int64(len(offsets))}, nil
}

// Progress tells what became of a request.
func (r *Request) Progress(ctx context.Context) (a Asked, err error) {
	a.Letters = r.total
	if r.total == 0 {
		return a, nil
	}
	err = r.server.query(ctx, "SELECT toInt64(countIf(state IN ('"+letterRetrying+"', '"+letterDiscarding+"'))), toInt64(countIf(state = '"+LetterOpen+"')) FROM ops.dead_letter FINAL WHERE "+r.where, func(rows driver.Rows) error {
		return rows.Scan(&a.Waiting, &a.Open)
	})
	return a, err
}
