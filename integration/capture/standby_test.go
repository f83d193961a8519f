package capture

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hopluu/hopluu/connectors"
	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/hopluu/hopluu/integration/harness"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// follow makes the rig's addresses those of whichever of the two servers is the
// primary.
func (r *rig) follow(a, b *harness.PostgresServer) {
	r.t.Helper()
	hosts := func(dsn string) string {
		config, err := pgx.ParseConfig(dsn)
		require.NoError(r.t, err)
		hostA, portA, err := net.SplitHostPort(a.Addr)
		require.NoError(r.t, err)
		hostB, portB, err := net.SplitHostPort(b.Addr)
		require.NoError(r.t, err)
		return fmt.Sprintf(`user=%s password='%s' host=%s,%s port=%s,%s dbname=%s sslmode=disable target_session_attrs=primary`,
			config.User, escapeConn(config.Password), hostA, hostB, portA, portB, config.Database)
	}
	r.admin, r.config.DSN = hosts(r.admin), hosts(r.config.DSN)
}

func escapeConn(s string) string {
	var b []byte
	for i := range len(s) {
		if s[i] == '\'' || s[i] == '\\' {
			b = append(b, '\\')
		}
		b = append(b, s[i])
	}
	return string(b)
}

// at gives the address of the rig's database on one of the servers.
func (r *rig) at(server *harness.PostgresServer) string { return server.DSN(r.setup.Database) }

// asked runs a query of one text on a server.
func (r *rig) asked(server *harness.PostgresServer, sql string) string {
	r.t.Helper()
	conn, err := pgx.Connect(r.t.Context(), r.at(server))
	require.NoError(r.t, err)
	var text string
	err = conn.QueryRow(r.t.Context(), sql).Scan(&text)
	require.NoError(r.t, errors.Join(err, conn.Close(r.t.Context())))
	return text
}

// Case 8: the primary dies and its standby, which keeps a copy of the slot, is
// promoted. Capture goes on by itself, with no gap and nothing twice.
func TestCase08FailoverSlot(t *testing.T) {
	t.Parallel()
	primary, standby := harness.PostgresPair(t, harness.WithSetting("synchronized_standby_slots", harness.StandbySlot))
	r := newRigOn(t, primary, harness.Kafka(t))
	r.follow(primary, standby)
	c := r.start()
	r.ready(c)
	require.NoError(t, c.stop())
	const failover = `SELECT failover::text FROM pg_replication_slots WHERE slot_type = 'logical'`
	require.Equal(t, "false", r.asked(primary, failover))
	r.config.Failover = true // a slot that is there becomes one
	c = r.start()
	r.ready(c)
	require.Equal(t, "true", r.asked(primary, failover))
	public := r.tail(r.public("visit"))
	r.exec(`INSERT INTO public.visit SELECT n, '2026-01-01', n FROM generate_series(1, 100) n`)
	public.events(100)
	r.caughtUp()
	r.eventually(func() error { // the slot's copy is one that can be used
		r.exec(`INSERT INTO public.patient VALUES (1) ON CONFLICT (patient_id) DO UPDATE SET paid = coalesce(patient.paid, 0) + 1`)
		if ready := r.asked(standby, `SELECT count(*)::text FROM pg_replication_slots WHERE synced AND NOT temporary AND slot_name = '`+r.config.Slot+`'`); ready != "1" {
			return errors.New("the standby has no copy of the slot yet")
		}
		return nil
	})
	// What comes now is captured only when the standby has it, but the slot's
	// copy is behind.
	r.exec(`INSERT INTO public.visit SELECT n, '2026-01-01', n FROM generate_series(101, 200) n`)
	public.events(200)
	before := r.checkpoint()
	require.NoError(t, primary.Kill())
	require.Equal(t, "true", r.asked(standby, `SELECT pg_promote(true, 180)::text`))
	r.exec(`INSERT INTO public.visit SELECT n, '2026-01-01', n FROM generate_series(201, 300) n; DELETE FROM public.visit WHERE patient_id = 150`)
	all := public.shows(visits)
	once(t, all)
	require.Len(t, events(all), 301)
	r.caughtUp()
	after := r.checkpoint()
	require.Equal(t, before.Timeline+1, after.Timeline)
	require.Equal(t, before.Epoch, after.Epoch, "positions go on above those that were given")
	require.NoError(t, c.Ready())
	require.NoError(t, c.stop())
	c = r.start()
	r.ready(c)
	once(t, r.tail(r.public("patient")).shows(`SELECT patient_id, paid FROM public.patient`))
	require.NoError(t, c.stop())
}

// Case 8: without a copy of the slot, or when what was captured never reached
// the standby, the promoted server is a gap that is said, and a command mends it.
func TestCase08FailoverWithoutASlot(t *testing.T) {
	t.Parallel()
	primary, standby := harness.PostgresPair(t)
	behind := newRigOn(t, primary, harness.Kafka(t))
	r := newRigOn(t, primary, harness.Kafka(t))
	for _, x := range []*rig{r, behind} {
		x.follow(primary, standby)
		c := x.start()
		x.ready(c)
		x.exec(`INSERT INTO public.visit SELECT n, '2026-01-01', n FROM generate_series(1, 10) n`)
		x.tail(x.public("visit")).events(10)
		x.caughtUp()
		t.Cleanup(func() { _ = c.stop() })
	}
	now := r.asked(primary, `SELECT pg_current_wal_lsn()::text`)
	r.eventually(func() error {
		if r.asked(standby, `SELECT (pg_last_wal_replay_lsn() >= '`+now+`')::text`) != "true" {
			return errors.New("the standby is behind")
		}
		return nil
	})
	// The standby hears nothing more of the primary.
	require.NoError(t, standby.Stop(t.Context()))
	behind.exec(`INSERT INTO public.visit VALUES (11, '2026-01-01', 11)`)
	behind.tail(behind.public("visit")).events(11)
	require.NoError(t, primary.Kill())
	require.NoError(t, standby.Restart(t.Context()))
	require.Equal(t, "true", r.asked(standby, `SELECT pg_promote(true, 180)::text`))
	// A standby that is named and away keeps a failover slot from going on: that
	// is told.
	r.exec(`SELECT pg_create_physical_replication_slot('nowhere')`)
	r.exec(`ALTER SYSTEM SET synchronized_standby_slots = nowhere`)
	r.exec(`SELECT pg_reload_conf()`)
	r.eventually(func() error {
		conn, err := postgres.Connect(t.Context(), r.at(standby))
		require.NoError(t, err)
		away, err := postgres.StandbysAway(t.Context(), conn)
		require.NoError(t, errors.Join(err, conn.Close(t.Context())))
		if !slices.Equal(away, []string{"nowhere"}) {
			return fmt.Errorf("away: %v", away)
		}
		return nil
	})
	for x, says := range map[*rig]string{r: "replication slot " + r.config.Slot + " is gone", behind: "some of that never reached this server"} {
		err := x.ends()
		var gap *connectors.GapError
		require.ErrorAs(t, err, &gap)
		require.ErrorContains(t, err, says)
		require.ErrorContains(t, err, "hopluu connector resnapshot "+x.config.Source)
		require.NotContains(t, err.Error(), "\n")
		x.resnapshot()
		c := x.start()
		x.ready(c)
		x.exec(`INSERT INTO public.visit VALUES (12, '2026-01-01', 12)`)
		public := x.tail(x.public("visit"))
		public.shows(visits)
		require.Equal(t, int32(2), x.checkpoint().Timeline)
		require.NoError(t, c.stop())
	}
}

// A standby is captured as its primary would be: the slot, the snapshot and the
// stream are its own, so the primary bears none of it. Promoted, it goes on.
func TestDecodingOnAStandby(t *testing.T) {
	t.Parallel()
	primary, standby := harness.PostgresPair(t)
	r := newRigOn(t, primary, harness.Kafka(t))
	r.exec(`INSERT INTO public.visit SELECT n, '2026-01-01', n FROM generate_series(1, 100) n`)
	r.config.PrimaryDSN, r.config.Heartbeat = r.config.DSN, time.Second
	_, from, err := net.SplitHostPort(primary.Addr)
	require.NoError(t, err)
	_, to, err := net.SplitHostPort(standby.Addr)
	require.NoError(t, err)
	r.config.DSN = strings.Replace(r.config.DSN, "port="+from, "port="+to, 1)
	r.config.Budget.Limit = 1 << 40 // the governor looks at the standby too
	c := r.start()
	r.ready(c)
	public := r.tail(r.public("visit"))
	r.exec(`INSERT INTO public.visit SELECT n, '2026-01-01', n FROM generate_series(101, 200) n; DELETE FROM public.visit WHERE patient_id = 1`)
	once(t, public.shows(visits))
	require.Equal(t, "0", r.asked(primary, `SELECT count(*)::text FROM pg_replication_slots WHERE slot_type = 'logical'`))
	r.eventually(func() error {
		if metric(t, c.metrics, "hopluu_connector_heartbeats_total", "how=received") == 0 {
			return errors.New("no heartbeat of the primary came")
		}
		return nil
	})
	require.NoError(t, c.stop())
	r.exec(`UPDATE public.visit SET cost = 1 WHERE patient_id < 50`)
	c = r.start()
	public.shows(visits)
	read := r.checkpoint().Tables["public.visit"].From
	r.resnapshot("public.visit") // which exports a snapshot there
	r.eventually(func() error {
		if s := r.checkpoint().Tables["public.visit"]; s.From == read || !s.Complete {
			return fmt.Errorf("the table is not read anew: %+v", s)
		}
		return nil
	})
	once(t, public.shows(visits))

	require.NoError(t, primary.Kill())
	require.Equal(t, "true", r.asked(standby, `SELECT pg_promote(true, 180)::text`))
	r.admin = r.at(standby)
	r.exec(`UPDATE public.visit SET cost = 2 WHERE patient_id > 150`)
	public.shows(visits)
	// With the event, and not some seconds later: a connector that is killed in
	// between would find a gap that is not there.
	require.Equal(t, int32(2), r.checkpoint().Timeline)
	require.NoError(t, c.stop())
	r.exec(`DELETE FROM public.visit WHERE patient_id > 190`)
	c = r.start()
	r.ready(c)
	once(t, public.shows(visits))
	require.NoError(t, c.stop())
}
