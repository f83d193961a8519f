package topic

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"
)

// Config says how to reach a Kafka cluster.
type Config struct {
	Brokers  []string // host:port
	ClientID string   // shown in the broker's logs and quotas
	SASL     *SASL
	TLS      *tls.Config // nil: no encryption
	// Compression of what its producers write, where they name no other.
	Compression Compression
}

// SASL is a user's login.
type SASL struct {
	Mechanism          string // PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512
	Username, Password string
}

func (s *SASL) mechanism() (sasl.Mechanism, error) {
	if s == nil {
		return nil, nil
	}
	switch strings.ToUpper(s.Mechanism) {
	case "PLAIN":
		return plain.Mechanism{Username: s.Username, Password: s.Password}, nil
	case "SCRAM-SHA-256":
		return scram.Mechanism(scram.SHA256, s.Username, s.Password)
	case "SCRAM-SHA-512":
		return scram.Mechanism(scram.SHA512, s.Username, s.Password)
	}
	return nil, fmt.Errorf("SASL mechanism %q is not known: use PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512", s.Mechanism)
}

// Client speaks to one Kafka cluster. It is safe for concurrent use; what it
// makes (producers, readers) is not.
type Client struct {
	config    Config
	mechanism sasl.Mechanism
	transport *kafka.Transport
	kafka     *kafka.Client
	patience  time.Duration
	calls     calls
}

// dialTimeout bounds the making of one connection.
const dialTimeout = 5 * time.Second

// Dial checks that a broker answers and gives the client of its cluster. It
// tries once.
func Dial(ctx context.Context, c Config) (*Client, error) {
	if len(c.Brokers) == 0 {
		return nil, errors.New("no Kafka broker is configured: set kafka.brokers to host:port")
	}
	if c.ClientID == "" {
		c.ClientID = "hopluu"
	}
	m, err := c.SASL.mechanism()
	if err != nil {
		return nil, err
	}
	t := &kafka.Transport{
		ClientID:    c.ClientID,
		DialTimeout: dialTimeout,
		// Also how long a change of leader may stay unseen.
		MetadataTTL: 2 * time.Second,
		SASL:        m,
		TLS:         c.TLS,
	}
	client := &Client{
		config:    c,
		mechanism: m,
		transport: t,
		kafka:     &kafka.Client{Addr: kafka.TCP(c.Brokers...), Transport: t},
		patience:  defaultPatience,
	}
	ctx, cancel := context.WithTimeout(ctx, 2*dialTimeout)
	defer cancel()
	if _, err := client.metadata(ctx); err != nil {
		t.CloseIdleConnections()
		return nil, fmt.Errorf("no Kafka broker answers at %s: %w; check kafka.brokers, its TLS and SASL settings, and that the broker runs", strings.Join(c.Brokers, ", "), err)
	}
	return client, nil
}

// Close closes the connections. Producers, readers and groups are closed
// before it.
func (c *Client) Close() error {
	c.transport.CloseIdleConnections()
	return nil
}

// roundTrip sends one request to the broker that it belongs to.
func (c *Client) roundTrip(ctx context.Context, req protocol.Message) (protocol.Message, error) {
	return c.transport.RoundTrip(ctx, c.kafka.Addr, req)
}

// ask is roundTrip for the requests whose answer is an R.
func ask[R protocol.Message](ctx context.Context, c *Client, req protocol.Message) (R, error) {
	var none R
	res, err := c.roundTrip(ctx, req)
	if err != nil {
		return none, err
	}
	r, ok := res.(R)
	if !ok {
		return none, fmt.Errorf("the broker answered a %s request with a %T", req.ApiKey(), res)
	}
	return r, nil
}

func (c *Client) dialer() *kafka.Dialer {
	return &kafka.Dialer{
		ClientID:      c.config.ClientID,
		Timeout:       dialTimeout,
		DualStack:     true,
		TLS:           c.config.TLS,
		SASLMechanism: c.mechanism,
		Resolver:      net.DefaultResolver,
	}
}
