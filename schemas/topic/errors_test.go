package topic

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"syscall"
	"testing"

	"github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"
)

// What a person has to mend is told apart from what passes: the one ends a stage
// at once, for the other it waits.
func TestRefusedAndPassing(t *testing.T) {
	wrap := func(err error) error { return fmt.Errorf("no Kafka broker answers: %w", err) }
	for _, err := range []error{
		kafka.SASLAuthenticationFailed, kafka.UnsupportedSASLMechanism, kafka.ClusterAuthorizationFailed, kafka.TopicAuthorizationFailed,
		&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, x509.HostnameError{Certificate: &x509.Certificate{}}, tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"},
	} {
		require.True(t, Refused(wrap(err)), "%v", err)
		require.False(t, Passing(wrap(err)), "%v", err)
	}
	for _, err := range []error{
		&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, &net.DNSError{Err: "no such host", IsNotFound: true},
		kafka.BrokerNotAvailable, kafka.RebalanceInProgress, kafka.ProducerFenced, ErrFenced, ErrCommitUnknown, ErrGenerationEnded,
	} {
		require.False(t, Refused(wrap(err)), "%v", err)
		require.True(t, Passing(wrap(err)), "%v", err)
	}
	for _, err := range []error{errors.New("a message that cannot be read"), &OutOfRangeError{}, &PartitionCountError{}, kafka.PolicyViolation} {
		require.False(t, Refused(wrap(err)), "%v", err)
		require.False(t, Passing(wrap(err)), "%v", err)
	}
}
