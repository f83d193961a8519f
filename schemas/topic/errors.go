package topic

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

var (
	// ErrFenced says that another producer took over the transactional id,
	// or that the coordinator gave the transaction up: nothing written
	// since the last commit shows, and this producer can write no more.
	ErrFenced = errors.New("another producer has taken over this transactional id, or the transaction ran out of time; start again from the last checkpoint")

	// ErrCommitUnknown says that the broker went away in the middle of a
	// commit for longer than we wait: the transaction may or may not be
	// committed. The caller makes a new producer, which settles it, and reads
	// its checkpoint again.
	ErrCommitUnknown = errors.New("whether the transaction was committed is not known; make a new producer and start again from the last checkpoint")

	// ErrMustAbort says that a batch of the open transaction was refused:
	// the transaction can only be aborted.
	ErrMustAbort = errors.New("the transaction can only be aborted")

	// ErrGenerationEnded says that a group's member was left behind by a
	// rebalance: what it did not commit belongs to another member now.
	ErrGenerationEnded = errors.New("the group's generation has ended; ask the group for the next one")

	// ErrClosed is the error of every call on what was closed.
	ErrClosed = errors.New("closed")
)

// OutOfRangeError says that a reader asked for an offset that the partition
// does not hold: its retention took it, or the topic was made anew. Nobody
// jumps over the hole (P2); the error says what there is.
type OutOfRangeError struct {
	Partition
	Offset     int64 // where the reader stands
	Start, End int64 // the first offset and the last stable one that the partition holds
}

func (e *OutOfRangeError) Error() string {
	if e.Offset < e.Start {
		return fmt.Sprintf("%s: the records from offset %d to %d are gone (it now holds %d to %d): raise its retention, and take a new snapshot of its table", e.Partition, e.Offset, e.Start-1, e.Start, e.End)
	}
	return fmt.Sprintf("%s: offset %d is past its end (it holds %d to %d): name an offset that it holds; a group that stands there read the topic before it was made anew: reset its offsets", e.Partition, e.Offset, e.Start, e.End)
}

// TooLargeError says that the broker refused a batch for its size.
type TooLargeError struct {
	Partition
	Records, Bytes int // of the refused batch, Bytes as sent
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("%s: the broker refuses a batch of %d records and %d bytes: raise max.message.bytes of the topic, or lower max_row_bytes", e.Partition, e.Records, e.Bytes)
}

// PartitionCountError says that a topic has another number of partitions than
// it should: keys would go to other partitions than before.
type PartitionCountError struct {
	Topic      string
	Have, Want int32
}

func (e *PartitionCountError) Error() string {
	return fmt.Sprintf("topic %s has %d partitions, the configuration says %d: set the configuration to %d, or make the topic anew and take a new snapshot", e.Topic, e.Have, e.Want, e.Have)
}

// operationNotAttempted is the answer for the partitions of a request that
// failed for another one's sake (https://kafka.apache.org/protocol#protocol_error_codes;
// kafka-go has another name for its number).
const operationNotAttempted kafka.Error = 55

// makeError is the error of a protocol code, nil for 0.
func makeError(code int16) error {
	if code == 0 {
		return nil
	}
	return kafka.Error(code)
}

// fenced tells whether err means that this producer's id, epoch or
// transactional id is no longer the coordinator's.
func fenced(err error) bool {
	return errors.Is(err, kafka.InvalidProducerEpoch) ||
		errors.Is(err, kafka.ProducerFenced) ||
		errors.Is(err, kafka.InvalidProducerIDMapping) ||
		errors.Is(err, kafka.TransactionalIDNotFound)
}

// retriable tells whether the same request may succeed later: the broker is
// away, coming up, or not the leader any more.
func retriable(err error) bool {
	var code kafka.Error
	if errors.As(err, &code) {
		switch code {
		case kafka.ConcurrentTransactions, kafka.TransactionCoordinatorFenced, kafka.BrokerNotAvailable,
			kafka.ReplicaNotAvailable, kafka.UnknownTopicID, kafka.ThrottlingQuotaExceeded, kafka.Unknown, operationNotAttempted:
			return true
		}
		return code.Temporary() || code.Timeout()
	}
	var netErr net.Error
	return errors.As(err, &netErr) ||
		errors.Is(err, protocol.ErrNoTopic) || errors.Is(err, protocol.ErrNoPartition) || errors.Is(err, protocol.ErrNoLeader) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.ErrClosedPipe) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) ||
		errors.Is(err, context.DeadlineExceeded)
}

// Refused tells whether a broker, or what it showed of itself, is not as the
// configuration says: a login or a right that it refuses, a certificate of an
// unknown authority, no encryption where some was asked for. Waiting does not
// mend that.
func Refused(err error) bool {
	var code kafka.Error
	if errors.As(err, &code) {
		switch code {
		case kafka.SASLAuthenticationFailed, kafka.UnsupportedSASLMechanism, kafka.IllegalSASLState, kafka.UnsupportedVersion,
			kafka.TopicAuthorizationFailed, kafka.GroupAuthorizationFailed, kafka.ClusterAuthorizationFailed, kafka.TransactionalIDAuthorizationFailed:
			return true
		}
		return false
	}
	var certificate *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var plain tls.RecordHeaderError
	return errors.As(err, &certificate) || errors.As(err, &authority) || errors.As(err, &host) || errors.As(err, &invalid) || errors.As(err, &plain)
}

// Passing tells whether what failed may work later, begun anew: the broker was
// away for longer than a call waits, or another took the work over meanwhile.
func Passing(err error) bool {
	if Refused(err) {
		return false
	}
	return retriable(err) || rejoins(err) || fenced(err) ||
		errors.Is(err, ErrFenced) || errors.Is(err, ErrCommitUnknown) || errors.Is(err, ErrMustAbort) || errors.Is(err, ErrGenerationEnded)
}
