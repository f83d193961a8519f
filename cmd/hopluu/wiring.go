package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/hopluu/hopluu/cmd/hopluu/config"
	"github.com/hopluu/hopluu/connectors"
	"github.com/hopluu/hopluu/schemas/registry"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/schemas/token"
	"github.com/hopluu/hopluu/schemas/topic"
)

// startBound is how long a server may take to answer at start before it counts
// as unreachable.
const startBound = 10 * time.Second

func dialKafka(ctx context.Context, c config.Config) (*topic.Client, error) {
	kafka := topic.Config{Brokers: c.Kafka.Brokers, ClientID: "hopluu"}
	if c.Kafka.SASL.Mechanism != "" {
		kafka.SASL = &topic.SASL{Mechanism: c.Kafka.SASL.Mechanism, Username: c.Kafka.SASL.User, Password: c.Kafka.SASL.Password}
	}
	if c.Kafka.TLS.Enabled {
		kafka.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
		if c.Kafka.TLS.CAFile != "" {
			pem, err := os.ReadFile(c.Kafka.TLS.CAFile)
			if err != nil {
				return nil, fmt.Errorf("kafka.tls.ca_file: %w", err)
			}
			kafka.TLS.RootCAs = x509.NewCertPool()
			if !kafka.TLS.RootCAs.AppendCertsFromPEM(pem) {
				return nil, fmt.Errorf("kafka.tls.ca_file %s holds no PEM certificate", c.Kafka.TLS.CAFile)
			}
		}
	}
	ctx, cancel := context.WithTimeout(ctx, startBound)
	defer cancel()
	client, err := topic.Dial(ctx, kafka)
	if err != nil {
		return nil, fmt.Errorf("kafka.brokers: %w", err)
	}
	return client, nil
}

func dialRegistry(ctx context.Context, c config.Config) (*registry.Client, error) {
	if c.Registry.URL == "" {
		return nil, errors.New("registry.url is not set: give the schema registry's address, or start one with 'hopluu registry run'")
	}
	client := registry.New(c.Registry.URL)
	ctx, cancel := context.WithTimeout(ctx, startBound)
	defer cancel()
	if err := client.Ping(ctx); err != nil {
		return nil, fmt.Errorf("registry.url: %w", err)
	}
	return client, nil
}

func clickhouseOptions(c config.Config) (*clickhouse.Options, error) {
	if c.ClickHouse.DSN == "" {
		return nil, errors.New("clickhouse.dsn is not set: for example clickhouse://user:password@host:9000/default")
	}
	options, err := clickhouse.ParseDSN(c.ClickHouse.DSN)
	if err != nil {
		// The library's error may repeat the password.
		return nil, errors.New("clickhouse.dsn cannot be read: write clickhouse://user:password@host:9000/default or http://user:password@host:8123/default")
	}
	return options, nil
}

// pingClickHouse refuses a server that is not there or does not let us in.
func pingClickHouse(ctx context.Context, options *clickhouse.Options) error {
	ctx, cancel := context.WithTimeout(ctx, startBound)
	defer cancel()
	conn, err := clickhouse.Open(options)
	if err != nil {
		return fmt.Errorf("clickhouse.dsn: %w", err)
	}
	if err := conn.Ping(ctx); err != nil {
		return errors.Join(fmt.Errorf("clickhouse.dsn: %s does not answer: %w", strings.Join(options.Addr, ", "), err), conn.Close())
	}
	return conn.Close()
}

// source is a configured source with the sector that describes it.
type source struct {
	config.Source
	Described sectors.Sector
}

// loadSectors reads the sector files.
func loadSectors(c config.Config) (*sectors.Set, error) {
	if c.SectorsDir != "" {
		return sectors.LoadDir(c.SectorsDir)
	}
	return sectors.Load()
}

// loadSources joins the sources with their sector files.
func loadSources(c config.Config) ([]source, error) {
	set, err := loadSectors(c)
	if err != nil {
		return nil, err
	}
	if len(c.Sources) == 0 {
		return nil, errors.New("configuration: sources is empty: name at least one database")
	}
	var sources []source
	for _, s := range c.Sources {
		sector, ok := set.Sector(s.Sector)
		if !ok {
			return nil, fmt.Errorf("configuration: source %s names sector %s, which has no file: use one of %s", s.Name, s.Sector, strings.Join(sectorNames(set), ", "))
		}
		sources = append(sources, source{Source: s, Described: *sector})
	}
	return sources, nil
}

func sectorNames(set *sectors.Set) []string {
	var names []string
	for _, s := range set.Sectors {
		names = append(names, s.Sector)
	}
	return names
}

// choose gives the named sources, or all when none is named.
func choose(sources []source, names []string) ([]source, error) {
	if len(names) == 0 {
		return sources, nil
	}
	var chosen []source
	for _, name := range names {
		i := slices.IndexFunc(sources, func(s source) bool { return s.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("source %s is not in the configuration", name)
		}
		chosen = append(chosen, sources[i])
	}
	return chosen, nil
}

func newTokenizer(c config.Config) (*token.Tokenizer, error) {
	secret, err := c.Tokens.TokenKey()
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	tokens, err := token.New(token.Key{Version: c.Tokens.Version, Secret: secret})
	if err != nil {
		return nil, fmt.Errorf("configuration: tokens: %w", err)
	}
	return tokens, nil
}

func topicSettings(c config.Config) connectors.Topics {
	return connectors.Topics{
		Partitions: c.Topics.Partitions, Replication: c.Topics.Replication,
		MinISR: c.Topics.MinInsyncReplicas, Retention: c.Topics.Retention,
	}
}
