package capture

import (
	"testing"

	"github.com/hopluu/hopluu/integration/harness"
	"github.com/stretchr/testify/require"
)

// Case 36: a table partitioned in the source is one table here whatever is done
// to its partitions: what the stream does not tell is found, and the table read
// anew; what it tells is not.
func TestCase36Partitions(t *testing.T) {
	t.Parallel()
	r := newRigOf(t, source(t), harness.Kafka(t), clinic, `
		CREATE TABLE public.patient (patient_id bigint PRIMARY KEY, cccd text, full_name text, notes text, paid numeric(12,2));
		CREATE TABLE public.visit (patient_id bigint, day date, cost numeric(12,2) DEFAULT 0, PRIMARY KEY (patient_id, day)) PARTITION BY RANGE (day);
		CREATE TABLE public.visit_24 PARTITION OF public.visit FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
		CREATE TABLE public.visit_25 PARTITION OF public.visit FOR VALUES FROM ('2025-01-01') TO ('2026-01-01') PARTITION BY HASH (patient_id);
		CREATE TABLE public.visit_25_0 PARTITION OF public.visit_25 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
		CREATE TABLE public.visit_25_1 PARTITION OF public.visit_25 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
		INSERT INTO public.visit SELECT n, date '2024-06-01' + n * 5, n FROM generate_series(1, 80) n`)
	c := r.start()
	r.ready(c)
	public := r.tail(r.public("visit"))
	once(t, public.shows(visits))
	read := r.checkpoint().Tables["public.visit"].From

	for _, sql := range []string{
		`INSERT INTO public.visit VALUES (101, '2024-01-01', 1), (102, '2025-01-01', 1)`,
		`INSERT INTO public.visit_25_1 SELECT patient_id, '2025-12-31', 5 FROM public.visit_25_1 LIMIT 5`,
		`UPDATE public.visit SET day = day + 200 WHERE patient_id BETWEEN 1 AND 20`, // some move
		`UPDATE public.visit SET cost = cost + 1`,
		`DELETE FROM public.visit_24 WHERE patient_id = 101`,
		`CREATE TABLE public.visit_26 PARTITION OF public.visit FOR VALUES FROM ('2026-01-01') TO ('2027-01-01'); INSERT INTO public.visit VALUES (103, '2026-05-05', 7)`,
		`VACUUM ANALYZE public.visit_24`,
	} {
		r.exec(sql)
		once(t, public.shows(visits))
	}
	r.caughtUp()
	r.exec(`INSERT INTO public.visit VALUES (104, '2026-05-05', 7)`)
	public.shows(visits)
	require.Equal(t, read, r.checkpoint().Tables["public.visit"].From, "all of that is in the stream: the table was not read anew")

	for _, sql := range []string{
		`CREATE TABLE public.old (LIKE public.visit INCLUDING ALL); INSERT INTO public.old SELECT n, '2023-03-03', n FROM generate_series(1, 30) n;
		 ALTER TABLE public.visit ATTACH PARTITION public.old FOR VALUES FROM ('2023-01-01') TO ('2024-01-01')`,
		`TRUNCATE public.visit_25_0`,
		`ALTER TABLE public.visit DETACH PARTITION public.old`,
		`DROP TABLE public.visit_24`,
		`BEGIN; CREATE TABLE public.visit_22 (LIKE public.visit INCLUDING ALL); INSERT INTO public.visit_22 SELECT n, '2022-02-02', n FROM generate_series(1, 30) n;
		 ALTER TABLE public.visit ATTACH PARTITION public.visit_22 FOR VALUES FROM ('2022-01-01') TO ('2023-01-01'); COMMIT`,
		`BEGIN; ALTER TABLE public.visit DETACH PARTITION public.visit_22; UPDATE public.visit_22 SET cost = cost + 100;
		 ALTER TABLE public.visit ATTACH PARTITION public.visit_22 FOR VALUES FROM ('2022-01-01') TO ('2023-01-01'); COMMIT`,
		`BEGIN; ALTER TABLE public.visit DETACH PARTITION public.visit_25; UPDATE public.visit_25_1 SET cost = cost + 100;
		 ALTER TABLE public.visit ATTACH PARTITION public.visit_25 FOR VALUES FROM ('2025-01-01') TO ('2026-01-01'); COMMIT`,
		`BEGIN; CREATE TABLE public.visit_27 PARTITION OF public.visit FOR VALUES FROM ('2027-01-01') TO ('2028-01-01'); INSERT INTO public.visit SELECT n, '2027-07-07', n FROM generate_series(1, 30) n; COMMIT;
		 BEGIN; TRUNCATE public.visit_27; COMMIT`,
		`ALTER TABLE public.visit ALTER COLUMN cost TYPE numeric(12,2) USING cost * 2`,
		`TRUNCATE public.visit`,
	} {
		r.exec(`INSERT INTO public.visit VALUES (200, '2026-01-01', 1) ON CONFLICT (patient_id, day) DO UPDATE SET cost = visit.cost + 1`)
		r.exec(sql)
		public.shows(visits)
	}
	require.NoError(t, c.stop())

	// What was done while no connector ran is found when one starts.
	r.exec(`INSERT INTO public.visit SELECT n, '2026-02-02', n FROM generate_series(1, 10) n`)
	r.exec(`ALTER TABLE public.visit ATTACH PARTITION public.old FOR VALUES FROM ('2023-01-01') TO ('2024-01-01')`)
	r.exec(`TRUNCATE public.visit_26`)
	c = r.start()
	public.shows(visits)
	require.NoError(t, c.stop())
}
