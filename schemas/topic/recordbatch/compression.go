package recordbatch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// Compression is the codec of a batch, with the number that Kafka gives it
// (the three low bits of a batch's attributes).
type Compression uint8

// Kafka's codecs. Batches are written with None, LZ4 or Zstd and read with
// all of them, since other producers' topics are read too.
const (
	None   Compression = 0
	Gzip   Compression = 1
	Snappy Compression = 2
	LZ4    Compression = 3
	Zstd   Compression = 4
)

func (c Compression) String() string {
	switch c {
	case None:
		return "none"
	case Gzip:
		return "gzip"
	case Snappy:
		return "snappy"
	case LZ4:
		return "lz4"
	case Zstd:
		return "zstd"
	}
	return fmt.Sprintf("compression %d", uint8(c))
}

// MaxDecompressed bounds what one batch may unfold to, in bytes (P8): a
// broker's batch is about 1 MiB compressed, and the best codec does not come
// near a factor of 128 on rows.
const MaxDecompressed = 128 << 20

// ErrTooLarge is the error of a batch that unfolds to more than
// MaxDecompressed.
var ErrTooLarge = fmt.Errorf("the batch unfolds to more than %d MiB", MaxDecompressed>>20)

var lz4Writers = sync.Pool{New: func() any { return lz4.NewWriter(io.Discard) }}

var lz4Readers = sync.Pool{New: func() any { return lz4.NewReader(bytes.NewReader(nil)) }}

var gzipReaders = sync.Pool{New: func() any { return new(gzip.Reader) }}

// The zstd encoder and decoder are safe for concurrent use by EncodeAll and
// DecodeAll; both are made when the first zstd batch comes by.
var zstdEncoder = sync.OnceValues(func() (*zstd.Encoder, error) {
	return zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderCRC(false))
})

var zstdDecoder = sync.OnceValues(func() (*zstd.Decoder, error) {
	return zstd.NewReader(nil, zstd.WithDecoderMaxMemory(MaxDecompressed), zstd.WithDecoderConcurrency(0))
})

// compress appends src in the form of c to dst.
func compress(dst []byte, c Compression, src []byte) ([]byte, error) {
	switch c {
	case None:
		return append(dst, src...), nil
	case LZ4:
		out := bytes.NewBuffer(dst)
		w := lz4Writers.Get().(*lz4.Writer)
		defer lz4Writers.Put(w)
		w.Reset(out)
		// Java's reader of Kafka's LZ4 frames knows independent blocks only
		// (the default here); the batch has its own checksum.
		if err := w.Apply(lz4.BlockSizeOption(lz4.Block256Kb), lz4.ChecksumOption(false), lz4.ConcurrencyOption(1)); err != nil {
			return nil, fmt.Errorf("lz4: %w", err)
		}
		if _, err := w.Write(src); err != nil {
			return nil, fmt.Errorf("lz4: %w", err)
		}
		if err := w.Close(); err != nil {
			return nil, fmt.Errorf("lz4: %w", err)
		}
		return out.Bytes(), nil
	case Zstd:
		e, err := zstdEncoder()
		if err != nil {
			return nil, fmt.Errorf("zstd: %w", err)
		}
		return e.EncodeAll(src, dst), nil
	}
	return nil, fmt.Errorf("batches are not written with %s; choose none, lz4 or zstd", c)
}

// decompress gives the plain form of src, at most MaxDecompressed bytes. With
// None that is src itself.
func decompress(c Compression, src []byte) ([]byte, error) {
	switch c {
	case None:
		return src, nil
	case Gzip:
		r := gzipReaders.Get().(*gzip.Reader)
		defer gzipReaders.Put(r)
		if err := r.Reset(bytes.NewReader(src)); err != nil {
			return nil, fmt.Errorf("gzip: %w", err)
		}
		return readBounded(r, len(src), "gzip")
	case Snappy:
		out, err := unsnappy(src)
		if err != nil {
			return nil, fmt.Errorf("snappy: %w", err)
		}
		return out, nil
	case LZ4:
		r := lz4Readers.Get().(*lz4.Reader)
		defer lz4Readers.Put(r)
		r.Reset(bytes.NewReader(src))
		return readBounded(r, len(src), "lz4")
	case Zstd:
		d, err := zstdDecoder()
		if err != nil {
			return nil, fmt.Errorf("zstd: %w", err)
		}
		out, err := d.DecodeAll(src, nil)
		if errors.Is(err, zstd.ErrDecoderSizeExceeded) {
			return nil, fmt.Errorf("zstd: %w", ErrTooLarge)
		}
		if err != nil {
			return nil, fmt.Errorf("zstd: %w", err)
		}
		return out, nil
	}
	return nil, fmt.Errorf("unknown codec: %s", c)
}

func readBounded(r io.Reader, compressed int, name string) ([]byte, error) {
	out := bytes.NewBuffer(make([]byte, 0, min(4*compressed+bytes.MinRead, MaxDecompressed)))
	n, err := out.ReadFrom(io.LimitReader(r, MaxDecompressed+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if n > MaxDecompressed {
		return nil, fmt.Errorf("%s: %w", name, ErrTooLarge)
	}
	return out.Bytes(), nil
}

// xerialMagic begins the framing that Java's clients put around snappy:
// sixteen bytes of header, then blocks, each with its length in four bytes.
// librdkafka sends one bare block.
var xerialMagic = []byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0}

const (
	xerialHeader = 16
	snappyRatio  = 32
)

func unsnappy(src []byte) ([]byte, error) {
	if !bytes.HasPrefix(src, xerialMagic) {
		return appendSnappyBlock(nil, src)
	}
	if len(src) < xerialHeader {
		return nil, io.ErrUnexpectedEOF
	}
	var out []byte
	for src = src[xerialHeader:]; len(src) > 0; {
		if len(src) < 4 {
			return nil, io.ErrUnexpectedEOF
		}
		size := uint64(binary.BigEndian.Uint32(src))
		if src = src[4:]; size > uint64(len(src)) {
			return nil, io.ErrUnexpectedEOF
		}
		var err error
		if out, err = appendSnappyBlock(out, src[:size]); err != nil {
			return nil, err
		}
		src = src[size:]
	}
	return out, nil
}

func appendSnappyBlock(dst, block []byte) ([]byte, error) {
	n, err := s2.DecodedLen(block)
	if err != nil {
		return nil, err
	}
	// Snappy's longest copy makes 64 bytes of 2: a block that claims more is
	// not believed, let alone given the memory.
	if n > snappyRatio*len(block) {
		return nil, s2.ErrCorrupt
	}
	if n > MaxDecompressed-len(dst) {
		return nil, ErrTooLarge
	}
	plain, err := s2.Decode(nil, block)
	if err != nil {
		return nil, err
	}
	if dst == nil {
		return plain, nil
	}
	return append(dst, plain...), nil
}
