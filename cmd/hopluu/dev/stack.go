package dev

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hopluu/hopluu/cmd/hopluu/config"
	"github.com/hopluu/hopluu/cmd/hopluu/embedded"
	"github.com/hopluu/hopluu/cmd/hopluu/embedded/parts"
	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/hopluu/hopluu/deploy/local/systems"
	"github.com/hopluu/hopluu/schemas/sectors"
	"go.yaml.in/yaml/v3"
	"golang.org/x/sync/errgroup"
)

// Ports that are wanted; one that is taken is replaced by a free one. 0 takes
// any.
type Ports struct {
	Kafka, Registry, ClickHouse int
	// Matcher is of its HTTP side, where reviewers ask.
	Matcher int
	// Postgres is the first of as many as there are sectors.
	Postgres int
}

// StackConfig says where and what to run.
type StackConfig struct {
	Dir     string
	Parts   parts.Paths
	Sectors []string
	Ports   Ports
	// Bin is the hopluu program.
	Bin string
	Log *slog.Logger
	// Step is told what is being started; may be nil.
	Step func(string)
}

// Stack is the running whole. Start it with Servers, then Stages.
type Stack struct {
	StackConfig
	Settings   config.Config
	ConfigPath string

	mu        sync.Mutex
	processes map[string]*embedded.Process
	kafka     *embedded.Kafka
	postgres  map[string]*embedded.Postgres
	house     *embedded.ClickHouse
	stages    map[string]string // name -> health address
}

// The stages in the order in which they start.
const (
	Registry  = "registry"
	Connector = "connector"
	Processor = "processor"
	Sink      = "sink"
)

// Process gives a process by name: "kafka", "clickhouse", "postgres-<sector>",
// or a stage.
func (s *Stack) Process(name string) (*embedded.Process, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.processes[name]
	return p, ok
}

// Processes lists their names, sorted.
func (s *Stack) Processes() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.processes))
}

func (s *Stack) keep(name string, p *embedded.Process) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.processes[name] = p
}

func (s *Stack) step(format string, args ...any) {
	if s.Step != nil {
		s.Step(fmt.Sprintf(format, args...))
	}
}

// Servers starts the databases, Kafka and ClickHouse's engine side by side, and
// makes the source systems' tables where they are missing. On an error what
// was started is stopped.
func Servers(ctx context.Context, c StackConfig) (*Stack, error) {
	s := &Stack{StackConfig: c, processes: map[string]*embedded.Process{}, postgres: map[string]*embedded.Postgres{}, stages: map[string]string{}}
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return nil, err
	}
	var err error
	if s.Dir, err = filepath.Abs(c.Dir); err != nil { // ClickHouse's engine and hopluu backup name the same folder
		return nil, err
	}
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(3)
	group.Go(func() (err error) {
		s.step("Kafka")
		s.kafka, err = embedded.StartKafka(groupCtx, embedded.KafkaConfig{Parts: c.Parts, Dir: filepath.Join(c.Dir, "kafka"), Port: c.Ports.Kafka, Log: c.Log})
		if err == nil {
			s.keep("kafka", s.kafka.Process)
		}
		return err
	})
	group.Go(func() (err error) {
		s.step("ClickHouse's engine")
		s.house, err = embedded.StartClickHouse(groupCtx, embedded.ClickHouseConfig{Parts: c.Parts, Bin: c.Bin, Dir: filepath.Join(c.Dir, "clickhouse"), Port: c.Ports.ClickHouse, Backups: s.backups(), Log: c.Log})
		if err == nil {
			s.keep("clickhouse", s.house.Process)
		}
		return err
	})
	for i, sector := range c.Sectors {
		group.Go(func() error {
			s.step("PostgreSQL of %s", sector)
			port := 0
			if c.Ports.Postgres > 0 {
				port = c.Ports.Postgres + i
			}
			db, err := embedded.StartPostgres(groupCtx, embedded.PostgresConfig{
				Parts: c.Parts, Name: "PostgreSQL of " + sector, Dir: filepath.Join(c.Dir, "postgres-"+sector), Port: port, Log: c.Log,
			})
			if err != nil {
				return err
			}
			s.keep("postgres-"+sector, db.Process)
			s.mu.Lock()
			s.postgres[sector] = db
			s.mu.Unlock()
			return prepareDatabase(groupCtx, db, sector)
		})
	}
	err = group.Wait()
	if err == nil {
		err = s.configure()
	}
	if err == nil {
		err = s.enable(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, s.Stop(context.WithoutCancel(ctx)))
	}
	return s, nil
}

// backups is the folder that backups are written to, by ClickHouse's engine, too.
func (s *Stack) backups() string { return filepath.Join(s.Dir, "backups") }

// prepareDatabase makes the sector's database and tables.
func prepareDatabase(ctx context.Context, db *embedded.Postgres, sector string) (err error) {
	admin, err := postgres.Connect(ctx, db.DSN("postgres"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, admin.Close(context.WithoutCancel(ctx))) }()
	var exists bool
	if err := admin.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", sector).Scan(&exists); err != nil {
		return err
	}
	if !exists {
		if _, err := admin.Exec(ctx, "CREATE DATABASE "+sector); err != nil {
			return fmt.Errorf("database %s: %w", sector, err)
		}
	}
	conn, err := postgres.Connect(ctx, db.DSN(sector))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	if _, err := conn.Exec(ctx, "SET search_path = public"); err != nil {
		return err
	}
	return systems.Apply(ctx, conn, sector)
}

// AdminDSN is the superuser's connection string of a sector's database.
func (s *Stack) AdminDSN(sector string) string { return s.postgres[sector].DSN(sector) }

// secret reads a file of random hexadecimal digits, and makes it the first time.
func secret(path string) (string, error) {
	data, err := os.ReadFile(path)
	if err == nil {
		return string(data), nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	random := make([]byte, 32)
	if _, err := rand.Read(random); err != nil {
		return "", err
	}
	text := hex.EncodeToString(random)
	return text, os.WriteFile(path, []byte(text), 0o600)
}

// keptTokens are the keys of tokens that the last start had, if somebody tried a
// rotation: what was captured under a new key is not captured under the old one
// again.
func (s *Stack) keptTokens() (config.Tokens, error) {
	c := config.Default()
	data, err := os.ReadFile(filepath.Join(s.Dir, configFile))
	if errors.Is(err, os.ErrNotExist) {
		return c.Tokens, nil
	}
	if err == nil {
		err = config.Decode(data, &c)
	}
	return c.Tokens, err
}

// configFile is the name of the configuration in the demonstration's folder.
const configFile = "hopluu.yaml"

// configure writes the configuration that all stages and the user's own calls
// of hopluu read.
func (s *Stack) configure() error {
	password, err := secret(filepath.Join(s.Dir, "connector.password"))
	if err != nil {
		return err
	}
	keyFile := filepath.Join(s.Dir, "token.key")
	if _, err := secret(keyFile); err != nil {
		return err
	}
	recordFile := filepath.Join(s.Dir, "record.key")
	if _, err := secret(recordFile); err != nil {
		return err
	}
	vaultFile := filepath.Join(s.Dir, "vault.key")
	if _, err := secret(vaultFile); err != nil {
		return err
	}
	backupFile := filepath.Join(s.Dir, "backup.key")
	if _, err := secret(backupFile); err != nil {
		return err
	}
	registryPort, err := keepPort(filepath.Join(s.Dir, "registry.port"), s.Ports.Registry)
	if err != nil {
		return err
	}
	c := config.Default()
	c.SingleMachine = true
	c.Kafka.Brokers = []string{s.kafka.Addr}
	c.Registry.Listen = "127.0.0.1:" + strconv.Itoa(registryPort)
	c.Registry.URL = "http://" + c.Registry.Listen
	c.ClickHouse.DSN = "http://default@" + s.house.Addr + "/default"
	if c.Tokens, err = s.keptTokens(); err != nil {
		return err
	}
	if c.Tokens.KeyFile == "" {
		c.Tokens.KeyFile = keyFile
	}
	c.Tokens.RecordKeyFile, c.Vault.KeyFile = recordFile, vaultFile
	c.Backup = config.Backup{To: s.backups(), KeyFile: backupFile}
	c.Topics = config.Topics{Partitions: 2, Replication: 1, MinInsyncReplicas: 1}
	c.HTTP.Listen = ""
	c.Sources = nil
	for _, sector := range s.Sectors {
		db := s.postgres[sector]
		c.Sources = append(c.Sources, config.Source{
			Name: sector, Kind: config.KindPostgres, Sector: sector, Slot: "hopluu_" + sector, Publication: "hopluu_" + sector,
			DSN: fmt.Sprintf("postgres://hopluu_%s:%s@%s/%s?sslmode=disable", sector, password, db.Addr, sector),
		})
	}
	if c.Identity, err = s.reviewed(c.Identity); err != nil {
		return err
	}
	s.Settings = c
	data, err := yaml.Marshal(c)
	if err != nil {
		return err
	}
	s.ConfigPath = filepath.Join(s.Dir, configFile)
	return os.WriteFile(s.ConfigPath, append([]byte("# Made by hopluu dev at every start.\n"), data...), 0o600)
}

// reviewer is who may review, decide and erase in the demonstration, whose people
// are generated.
const reviewer = "demo"

// reviewed lets who reads the configuration ask the matcher as a reviewer, with a
// token that each folder has of its own.
func (s *Stack) reviewed(c config.Identity) (config.Identity, error) {
	port, err := keepPort(filepath.Join(s.Dir, "matcher.port"), s.Ports.Matcher)
	if err != nil {
		return c, err
	}
	if c.Token, err = secret(filepath.Join(s.Dir, "reviewer.token")); err != nil {
		return c, err
	}
	sum := sha256.Sum256([]byte(c.Token))
	c.URL = "http://127.0.0.1:" + strconv.Itoa(port)
	c.Reviewers = []config.Reviewer{{Name: reviewer, TokenSHA256: hex.EncodeToString(sum[:]), Decides: true, Personal: true}}
	return c, nil
}

// enable does what a DBA does once: role, grants, publication.
func (s *Stack) enable(ctx context.Context) error {
	set, err := sectors.Load()
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, source := range s.Settings.Sources {
		group.Go(func() (err error) {
			sector, ok := set.Sector(source.Sector)
			if !ok {
				return fmt.Errorf("sector %s has no file", source.Sector)
			}
			password, err := secret(filepath.Join(s.Dir, "connector.password"))
			if err != nil {
				return err
			}
			setup := postgres.Setup{Database: source.Name, Role: "hopluu_" + source.Name, Password: password, Slot: source.Slot, Publication: source.Publication, Tables: sector.Tables}
			conn, err := postgres.Connect(ctx, s.AdminDSN(source.Name))
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
			return postgres.Apply(ctx, conn, setup.EnableScript())
		})
	}
	return group.Wait()
}

// Stages starts hopluu's own processes; each is ready before the next starts,
// but for the connector, whose snapshot the others need not wait for.
func (s *Stack) Stages(ctx context.Context, names ...string) error {
	if len(names) == 0 {
		names = []string{Registry, Connector, Processor, Sink}
	}
	for _, name := range names {
		if err := s.Stage(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// stageOf is the stage that a process is an instance of: "sink-2" is one of sink.
func stageOf(process string) string {
	stage, _, _ := strings.Cut(process, "-")
	return stage
}

// Stage starts one stage, or another instance of it by a name such as "sink-2",
// and waits for the registry to be ready and for the others to have begun.
func (s *Stack) Stage(ctx context.Context, name string) error {
	s.step("%s", name)
	port, err := embedded.FreePort()
	if err != nil {
		return err
	}
	health := "127.0.0.1:" + strconv.Itoa(port)
	if name == Processor {
		// Where identity.url says that reviewers are answered; a second one would
		// send them there.
		health = strings.TrimPrefix(s.Settings.Identity.URL, "http://")
	}
	p, err := embedded.StartSelf(ctx, name, s.Bin, []string{stageOf(name), "run", "--http", health}, []string{"HOPLUU_CONFIG=" + s.ConfigPath}, filepath.Join(s.Dir, name+".log"))
	if err != nil {
		return err
	}
	s.keep(name, p)
	s.mu.Lock()
	s.stages[name] = health
	s.mu.Unlock()
	path := "/startz"
	if name == Registry {
		path = "/readyz"
	}
	bound, cancel := context.WithTimeout(ctx, startBound)
	defer cancel()
	return p.WaitReady(bound, embedded.ProbeHTTP("http://"+health+path))
}

// startBound is how long a stage may take to begin: seconds, on a machine that is
// busy with other things a minute and more.
const startBound = 3 * time.Minute

// Health is the address of a stage's /metrics, /healthz and /readyz.
func (s *Stack) Health(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stages[name]
}

// Watch starts anew every process that ends by itself, until the context ends,
// and tells each time.
func (s *Stack) Watch(ctx context.Context, tell func(name string, err error)) {
	var group sync.WaitGroup
	for _, name := range s.Processes() {
		p, _ := s.Process(name)
		group.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case <-p.Done():
				}
				if ctx.Err() != nil {
					return
				}
				tell(name, p.Wait())
				if err := p.Restart(ctx); err != nil && ctx.Err() == nil {
					tell(name, err)
					select {
					case <-ctx.Done():
					case <-time.After(time.Second):
					}
				}
			}
		})
	}
	group.Wait()
}

// Stop ends everything, the readers before what they read from.
func (s *Stack) Stop(ctx context.Context) error {
	var errs []error
	stages := []string{Sink, Processor, Connector, Registry}
	for _, wave := range [][]string{stages[:3], stages[3:]} {
		errs = append(errs, s.stopAll(ctx, slices.DeleteFunc(s.Processes(), func(name string) bool { return !slices.Contains(wave, stageOf(name)) })))
	}
	rest := slices.DeleteFunc(s.Processes(), func(name string) bool { return slices.Contains(stages, stageOf(name)) })
	return errors.Join(append(errs, s.stopAll(ctx, rest))...)
}

func (s *Stack) stopAll(ctx context.Context, names []string) error {
	var group errgroup.Group
	for _, name := range names {
		if p, ok := s.Process(name); ok {
			group.Go(func() error { return p.Stop(ctx) })
		}
	}
	return group.Wait()
}
