package clickhouse

import (
	"bufio"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/ClickHouse/ch-go/compress"
	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"
)

const (
	// maxHead is how much of a body is searched for the beginning of an
	// INSERT's data.
	maxHead = 1 << 20
	// maxStatement bounds a statement without data.
	maxStatement = 16 << 20
	// maxInsert bounds the data of one INSERT, which are in memory while it runs (P8).
	maxInsert = 512 << 20
)

// readBody gives the body of a request without its compressions: HTTP's
// Content-Encoding outside, ClickHouse's own blocks (decompress=1) inside.
func readBody(r *http.Request) (io.Reader, error) {
	var body io.Reader = r.Body
	switch encoding := r.Header.Get("Content-Encoding"); encoding {
	case "", "identity":
	case "gzip":
		z, err := gzip.NewReader(body)
		if err != nil {
			return nil, fmt.Errorf("the body is not gzip: %w", err)
		}
		body = z
	case "deflate":
		z, err := zlib.NewReader(body)
		if err != nil {
			return nil, fmt.Errorf("the body is not deflate: %w", err)
		}
		body = z
	case "br":
		body = brotli.NewReader(body)
	case "zstd":
		z, err := zstd.NewReader(body, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, fmt.Errorf("the body is not zstd: %w", err)
		}
		body = z.IOReadCloser()
	default:
		return nil, &Exception{Code: codeNotImplemented, Message: fmt.Sprintf("Code: 48. DB::Exception: Unknown Content-Encoding %q: use gzip, deflate, br or zstd. (NOT_IMPLEMENTED)", encoding)}
	}
	if enabled(r.URL.Query().Get("decompress")) {
		body = &blocks{compress.NewReader(body)}
	}
	return body, nil
}

// blocks gives io.EOF as it is, which the reader of compressed blocks wraps.
type blocks struct{ r *compress.Reader }

func (b *blocks) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return n, io.EOF
	}
	return n, err
}

func enabled(s string) bool { return s == "1" || strings.EqualFold(s, "true") }

// readStatement reads the statement, which is in the query parameter, in the
// body, or begins in the one and ends in the other, and gives what is behind
// it: the data of an INSERT.
func readStatement(inURL string, body io.Reader) (statement, io.Reader, error) {
	text := inURL
	buffered := bufio.NewReaderSize(body, maxHead)
	if inURL == "" {
		head, err := buffered.Peek(maxHead)
		if err != nil && !errors.Is(err, io.EOF) {
			return statement{}, nil, fmt.Errorf("cannot read the body: %w", err)
		}
		st, err := parseStatement(string(head))
		if err != nil {
			return st, nil, err
		}
		if st.kind == insertData {
			if _, err := buffered.Discard(st.insert.data); err != nil {
				return st, nil, err
			}
			return st, buffered, nil
		}
	} else {
		// What is in the URL may be an INSERT whose data are in the body.
		st, err := parseStatement(inURL)
		if err != nil {
			return st, nil, err
		}
		if st.kind == insertData && st.insert.named {
			inline := st.text[st.insert.data:]
			if inline == "" {
				return st, buffered, nil
			}
			return st, io.MultiReader(strings.NewReader(inline+"\n"), buffered), nil
		}
		text += "\n"
	}
	rest, err := io.ReadAll(io.LimitReader(buffered, maxStatement+1))
	if err != nil {
		return statement{}, nil, fmt.Errorf("cannot read the body: %w", err)
	}
	if len(rest) > maxStatement {
		return statement{}, nil, &Exception{Code: 62, Message: "Code: 62. DB::Exception: The statement is larger than 16 MB. (SYNTAX_ERROR)"}
	}
	text += string(rest)
	st, err := parseStatement(text)
	if err != nil {
		return st, nil, err
	}
	if st.kind == insertData {
		return st, strings.NewReader(text[st.insert.data:]), nil
	}
	return st, strings.NewReader(""), nil
}

// spool keeps an INSERT's data as a file in memory that the engine can open
// by name in this process. Only when all of it is there does the engine see
// it: a client that goes away in the middle inserts nothing.
func spool(data io.Reader) (f *os.File, name string, err error) {
	fd, err := unix.MemfdCreate("insert", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, "", fmt.Errorf("no memory for the data: %w", err)
	}
	name = fmt.Sprintf("/proc/self/fd/%d", fd)
	f = os.NewFile(uintptr(fd), name)
	n, err := io.Copy(f, io.LimitReader(data, maxInsert+1))
	if err != nil {
		return nil, "", errors.Join(fmt.Errorf("cannot read the data: %w", err), f.Close())
	}
	if n > maxInsert {
		return nil, "", errors.Join(fmt.Errorf("the data are larger than %d MB: insert them in several requests", maxInsert>>20), f.Close())
	}
	return f, name, nil
}
