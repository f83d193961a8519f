package clickhouse

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"github.com/ebitengine/purego"
)

// library is the part of libchdb's C interface that we use; the functions
// are as chdb.h declares them.
type library struct {
	// chdb_connection *chdb_connect(int argc, char **argv)
	connect func(argc int32, argv **byte) *unsafe.Pointer
	// void chdb_close_conn(chdb_connection *conn)
	closeConn func(conn *unsafe.Pointer)
	// chdb_result *chdb_query_with_params_n(chdb_connection, const char *query, size_t, const char *format, size_t,
	// const char *const *names, const size_t *, const char *const *values, const size_t *, size_t count)
	query func(conn unsafe.Pointer, query *byte, queryLen uintptr, format *byte, formatLen uintptr,
		names **byte, nameLens *uintptr, values **byte, valueLens *uintptr, count uintptr) unsafe.Pointer

	// The same, for a result that comes block by block; then
	// chdb_stream_fetch_result(conn, result) until a block has no rows.
	stream func(conn unsafe.Pointer, query *byte, queryLen uintptr, format *byte, formatLen uintptr,
		names **byte, nameLens *uintptr, values **byte, valueLens *uintptr, count uintptr) unsafe.Pointer
	streamFetch  func(conn unsafe.Pointer, result unsafe.Pointer) unsafe.Pointer
	streamCancel func(conn unsafe.Pointer, result unsafe.Pointer)

	resultDestroy      func(result unsafe.Pointer)
	resultError        func(result unsafe.Pointer) *byte
	resultBuffer       func(result unsafe.Pointer) *byte
	resultLength       func(result unsafe.Pointer) uintptr
	resultRowsRead     func(result unsafe.Pointer) uint64
	resultBytesRead    func(result unsafe.Pointer) uint64
	resultRowsWritten  func(result unsafe.Pointer) uint64
	resultBytesWritten func(result unsafe.Pointer) uint64
	storageRowsRead    func(result unsafe.Pointer) uint64
	storageBytesRead   func(result unsafe.Pointer) uint64
}

// openLibrary loads the library. It stays loaded: it cannot be unloaded.
func openLibrary(path string) (l *library, err error) {
	if err := setTimeZone(); err != nil {
		return nil, fmt.Errorf("cannot set the time zone: %w", err)
	}
	handle, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil, fmt.Errorf("cannot load ClickHouse's engine from %s: %w", path, err)
	}
	l = &library{}
	for name, fn := range map[string]any{
		"chdb_connect":                    &l.connect,
		"chdb_close_conn":                 &l.closeConn,
		"chdb_query_with_params_n":        &l.query,
		"chdb_stream_query_with_params_n": &l.stream,
		"chdb_stream_fetch_result":        &l.streamFetch,
		"chdb_stream_cancel_query":        &l.streamCancel,
		"chdb_destroy_query_result":       &l.resultDestroy,
		"chdb_result_error":               &l.resultError,
		"chdb_result_buffer":              &l.resultBuffer,
		"chdb_result_length":              &l.resultLength,
		"chdb_result_rows_read":           &l.resultRowsRead,
		"chdb_result_bytes_read":          &l.resultBytesRead,
		"chdb_result_rows_written":        &l.resultRowsWritten,
		"chdb_result_bytes_written":       &l.resultBytesWritten,
		"chdb_result_storage_rows_read":   &l.storageRowsRead,
		"chdb_result_storage_bytes_read":  &l.storageBytesRead,
	} {
		symbol, err := purego.Dlsym(handle, name)
		if err != nil {
			return nil, fmt.Errorf("%s is not the engine that hopluu was made for: %w", path, err)
		}
		purego.RegisterFunc(fn, symbol)
	}
	return l, nil
}

// setTimeZone makes the engine's time zone UTC wherever the machine is: the
// engine takes it from C's environment, which Go's os.Setenv need not reach,
// and has no setting for it.
func setTimeZone() error {
	libc, err := purego.Dlopen("libc.so.6", purego.RTLD_NOW|purego.RTLD_GLOBAL)
	if err != nil {
		return err
	}
	symbol, err := purego.Dlsym(libc, "setenv")
	if err != nil {
		return err
	}
	var setenv func(name, value string, overwrite int32) int32
	purego.RegisterFunc(&setenv, symbol)
	if setenv("TZ", "UTC", 1) != 0 {
		return errors.New("setenv failed")
	}
	return nil
}

// cStrings gives a C array of zero-terminated strings, kept alive by keep.
func cStrings(texts []string) (array []*byte, keep [][]byte) {
	for _, t := range texts {
		b := append([]byte(t), 0)
		keep = append(keep, b)
		array = append(array, &b[0])
	}
	return array, keep
}

// first is the address of a slice's bytes, nil when it is empty.
func first[T any](s []T) *T {
	if len(s) == 0 {
		return nil
	}
	return &s[0]
}

// goBytes copies n bytes of the library's memory.
func goBytes(p *byte, n uintptr) []byte {
	if p == nil || n == 0 {
		return nil
	}
	return append([]byte(nil), unsafe.Slice(p, n)...)
}

// goString copies a zero-terminated string of the library.
func goString(p *byte) string {
	if p == nil {
		return ""
	}
	n := uintptr(0)
	for *(*byte)(unsafe.Add(unsafe.Pointer(p), n)) != 0 {
		n++
	}
	return string(unsafe.Slice(p, n))
}

// session is one connection into the engine, with its own settings and
// current database. One goroutine at a time.
type session struct {
	lib    *library
	handle *unsafe.Pointer
}

func (l *library) open(args []string) (*session, error) {
	argv, keep := cStrings(args)
	defer runtime.KeepAlive(keep)
	argv = append(argv, nil)
	var handle *unsafe.Pointer
	keepSignals(func() { handle = l.connect(int32(len(args)), &argv[0]) })
	if handle == nil || *handle == nil {
		return nil, fmt.Errorf("the engine did not open its data (its message is above)")
	}
	return &session{l, handle}, nil
}

func (s *session) close() {
	keepSignals(func() { s.lib.closeConn(s.handle) })
}

// result is what a statement gave.
type result struct {
	data           []byte
	rows, bytes    uint64 // in the result
	read, readBy   uint64 // rows and bytes read from storage
	wrote, wroteBy uint64
}

// param is one query parameter, for {name:Type} in a statement; the value is
// in ClickHouse's escaped text.
type param struct{ name, value string }

// query runs one statement to its end. Errors of the engine are *Exception.
func (s *session) query(sql, format string, params []param) (result, error) {
	res := s.call(s.lib.query, sql, format, params)
	if res == nil {
		return result{}, errNoResult
	}
	defer s.lib.resultDestroy(res)
	if text := goString(s.lib.resultError(res)); text != "" {
		return result{}, parseException(text)
	}
	return s.read(res), nil
}

var errNoResult = &Exception{Code: 1001, Message: "Code: 1001. DB::Exception: The engine gave no result. (STD_EXCEPTION)"}

// call calls one of the functions that take a statement and parameters.
func (s *session) call(fn func(conn unsafe.Pointer, query *byte, queryLen uintptr, format *byte, formatLen uintptr,
	names **byte, nameLens *uintptr, values **byte, valueLens *uintptr, count uintptr) unsafe.Pointer,
	sql, format string, params []param,
) unsafe.Pointer {
	q, f := []byte(sql), []byte(format)
	names, values := make([]string, len(params)), make([]string, len(params))
	nameLens, valueLens := make([]uintptr, len(params)), make([]uintptr, len(params))
	for i, p := range params {
		names[i], values[i] = p.name, p.value
		nameLens[i], valueLens[i] = uintptr(len(p.name)), uintptr(len(p.value))
	}
	n, keepNames := cStrings(names)
	v, keepValues := cStrings(values)
	res := fn(*s.handle, first(q), uintptr(len(q)), first(f), uintptr(len(f)),
		first(n), first(nameLens), first(v), first(valueLens), uintptr(len(params)))
	runtime.KeepAlive(q)
	runtime.KeepAlive(f)
	runtime.KeepAlive(keepNames)
	runtime.KeepAlive(keepValues)
	return res
}

func (s *session) read(res unsafe.Pointer) result {
	return result{
		data:    goBytes(s.lib.resultBuffer(res), s.lib.resultLength(res)),
		rows:    s.lib.resultRowsRead(res),
		bytes:   s.lib.resultBytesRead(res),
		read:    s.lib.storageRowsRead(res),
		readBy:  s.lib.storageBytesRead(res),
		wrote:   s.lib.resultRowsWritten(res),
		wroteBy: s.lib.resultBytesWritten(res),
	}
}

// stream is a result that comes block by block.
type stream struct {
	session *session
	result  unsafe.Pointer
	ended   bool
}

// stream begins a SELECT. Only formats whose blocks can be put one behind the
// other make sense. The stream must be closed before the session is used again.
func (s *session) stream(sql, format string, params []param) (*stream, error) {
	res := s.call(s.lib.stream, sql, format, params)
	if res == nil {
		return nil, errNoResult
	}
	if text := goString(s.lib.resultError(res)); text != "" {
		s.lib.resultDestroy(res)
		return nil, parseException(text)
	}
	return &stream{session: s, result: res}, nil
}

// next gives the next block, and false behind the last. Errors of the engine
// are *Exception.
func (s *stream) next() (result, bool, error) {
	if s.ended {
		return result{}, false, nil
	}
	lib := s.session.lib
	block := lib.streamFetch(*s.session.handle, s.result)
	if block == nil {
		s.ended = true
		return result{}, false, errNoResult
	}
	defer lib.resultDestroy(block)
	if text := goString(lib.resultError(block)); text != "" {
		s.ended = true
		return result{}, false, parseException(text)
	}
	r := s.session.read(block)
	s.ended = r.rows == 0
	return r, !s.ended || len(r.data) > 0, nil
}

// close ends the stream, also before its end.
func (s *stream) close() {
	if !s.ended {
		s.session.lib.streamCancel(*s.session.handle, s.result)
	}
	s.session.lib.resultDestroy(s.result)
}
