package clickhouse

import (
	"compress/gzip"
	"compress/zlib"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/ch-go/compress"
	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

// holdBack is how many bytes of a result wait for the rest of it, so that an
// error among the first rows still has a status of its own; with
// wait_end_of_query=1 more do.
const (
	holdBack     = 1 << 20
	holdBackLong = 64 << 20
)

// response writes the answer to one query.
type response struct {
	w        http.ResponseWriter
	format   string
	revision uint64 // in which the client reads Native, 0 for the blocks as they are
	encoding string // Content-Encoding, empty for none
	blocks   *compress.Writer

	hold    int // bytes of data that wait before anything is sent
	pending []byte
	sum     result // counts so far, without data
	begun   bool
	out     io.Writer
	flush   func() error // ends the HTTP compression
	tag     string       // of an exception behind data
	started time.Time
}

func newResponse(w http.ResponseWriter, r *http.Request) *response {
	values := r.URL.Query()
	res := &response{w: w, tag: strings.ToLower(rand.Text()[:16]), started: time.Now()}
	res.hold = holdBack
	if enabled(values.Get("wait_end_of_query")) {
		res.hold = holdBackLong
	}
	// Without or with a strange version the blocks stay as they are.
	if n, err := strconv.ParseUint(values.Get("client_protocol_version"), 10, 64); err == nil {
		res.revision = n
	}
	if enabled(values.Get("compress")) {
		method := compress.LZ4
		if strings.EqualFold(values.Get("network_compression_method"), "ZSTD") {
			method = compress.ZSTD
		}
		res.blocks = compress.NewWriter(compress.LevelZero, method)
	}
	if values.Get("enable_http_compression") != "0" {
		res.encoding = pickEncoding(r.Header.Get("Accept-Encoding"))
	}
	return res
}

// pickEncoding takes the first coding of Accept-Encoding that we have.
func pickEncoding(accept string) string {
	for offer := range strings.SplitSeq(accept, ",") {
		name, weight, _ := strings.Cut(strings.TrimSpace(offer), ";")
		if strings.ReplaceAll(weight, " ", "") == "q=0" {
			continue
		}
		switch name {
		case "gzip", "deflate", "br", "zstd":
			return name
		}
	}
	return ""
}

// begin sends status 200 and the headers.
func (r *response) begin() error {
	r.begun = true
	header := r.w.Header()
	header.Set("Content-Type", contentType(r.format))
	header.Set("X-ClickHouse-Format", r.format)
	header.Set("X-ClickHouse-Exception-Tag", r.tag)
	header.Set("X-ClickHouse-Summary", fmt.Sprintf(
		`{"read_rows":"%d","read_bytes":"%d","written_rows":"%d","written_bytes":"%d","total_rows_to_read":"0","result_rows":"%d","result_bytes":"%d","elapsed_ns":"%d"}`,
		r.sum.read, r.sum.readBy, r.sum.wrote, r.sum.wroteBy, r.sum.rows, r.sum.bytes, time.Since(r.started).Nanoseconds()))
	r.out, r.flush = r.w, func() error { return nil }
	switch r.encoding {
	case "gzip":
		z := gzip.NewWriter(r.w)
		r.out, r.flush = z, z.Close
	case "deflate":
		z := zlib.NewWriter(r.w)
		r.out, r.flush = z, z.Close
	case "br":
		z := brotli.NewWriterLevel(r.w, 3)
		r.out, r.flush = z, z.Close
	case "zstd":
		z, err := zstd.NewWriter(r.w, zstd.WithEncoderConcurrency(1))
		if err != nil {
			return err
		}
		r.out, r.flush = z, z.Close
	}
	if r.encoding != "" {
		header.Set("Content-Encoding", r.encoding)
	}
	r.w.WriteHeader(http.StatusOK)
	return nil
}

// add takes a part of the result and sends it once enough is there.
func (r *response) add(part result) error {
	data := part.data
	if r.revision > 0 && r.format == "Native" {
		var err error
		if data, err = recode(data, r.revision); err != nil {
			return err
		}
	}
	r.sum.rows += part.rows
	r.sum.bytes += part.bytes
	// These count from the statement's beginning, and the last part has none.
	r.sum.read, r.sum.readBy = max(r.sum.read, part.read), max(r.sum.readBy, part.readBy)
	r.sum.wrote, r.sum.wroteBy = max(r.sum.wrote, part.wrote), max(r.sum.wroteBy, part.wroteBy)
	r.pending = append(r.pending, data...)
	if !r.begun && len(r.pending) < r.hold {
		return nil
	}
	return r.send()
}

// end sends what waits still, and ends the compression.
func (r *response) end() error {
	if !r.begun && len(r.pending) == 0 {
		// Content-Length 0 tells clients that there is no result.
		r.w.Header().Set("Content-Length", "0")
		r.encoding = ""
	}
	if err := r.send(); err != nil {
		return err
	}
	return r.flush()
}

// send sends the pending data, in ClickHouse's compressed blocks when asked.
func (r *response) send() error {
	if !r.begun {
		if err := r.begin(); err != nil {
			return err
		}
	}
	data := r.pending
	r.pending = r.pending[:0]
	if r.blocks == nil {
		return sent(r.out.Write(data))
	}
	const frame = 1 << 20
	for len(data) > 0 {
		n := min(len(data), frame)
		if err := r.blocks.Compress(data[:n]); err != nil {
			return err
		}
		if err := sent(r.out.Write(r.blocks.Data)); err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}

// goneError says that the client does not listen any more.
type goneError struct{ error }

func (e *goneError) Unwrap() error { return e.error }

func sent(_ int, err error) error {
	if err != nil {
		return &goneError{err}
	}
	return nil
}

// fail answers with an exception: with a status while nothing was sent, and
// else framed behind the data, as a server does it.
func (r *response) fail(e *Exception, version string) error {
	message := fmt.Sprintf("%s (version %s)\n", e.Message, version)
	if !r.begun {
		header := r.w.Header()
		header.Del("Content-Length")
		header.Set("Content-Type", "text/plain; charset=UTF-8")
		header.Set("X-ClickHouse-Exception-Code", strconv.Itoa(e.Code))
		r.w.WriteHeader(e.status())
		_, err := io.WriteString(r.w, message)
		return err
	}
	_, err := fmt.Fprintf(r.out, "\r\n__exception__\r\n%s\r\n%s%d %s\r\n__exception__\r\n", r.tag, message, len(message), r.tag)
	return errors.Join(err, r.flush())
}

// contentType is the type that a server gives for a format.
func contentType(format string) string {
	switch {
	case format == "JSON", format == "JSONCompact", format == "JSONStrings", format == "JSONColumns", format == "JSONColumnsWithMetadata":
		return "application/json; charset=UTF-8"
	case strings.HasPrefix(format, "JSON"), format == "NDJSON":
		return "application/x-ndjson; charset=UTF-8"
	case strings.HasPrefix(format, "CSVWithNames"):
		return "text/csv; charset=UTF-8; header=present"
	case strings.HasPrefix(format, "CSV"):
		return "text/csv; charset=UTF-8; header=absent"
	case strings.HasPrefix(format, "TabSeparated"), strings.HasPrefix(format, "TSV"):
		return "text/tab-separated-values; charset=UTF-8"
	case format == "Native", strings.HasPrefix(format, "RowBinary"), format == "Parquet", strings.HasPrefix(format, "Arrow"), format == "ORC", format == "Avro":
		return "application/octet-stream"
	case format == "XML":
		return "application/xml; charset=UTF-8"
	}
	return "text/plain; charset=UTF-8"
}

// streamable says whether parts of a result in this format may be put one
// behind the other.
func streamable(format string) bool {
	switch format {
	case "Native", "TSV", "TabSeparated", "TSVRaw", "TabSeparatedRaw", "CSV", "JSONEachRow", "NDJSON", "JSONLines",
		"RowBinary", "JSONCompactEachRow", "JSONStringsEachRow", "LineAsString", "RawBLOB":
		return true
	}
	return false
}
