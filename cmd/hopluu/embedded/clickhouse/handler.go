package clickhouse

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
)

// handler answers ClickHouse's HTTP interface.
type handler struct {
	engine *engine
	log    *slog.Logger
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-ClickHouse-Server-Display-Name", "hopluu")
	w.Header().Set("X-ClickHouse-Timezone", "UTC")
	switch r.URL.Path {
	case "/ping", "/replicas_status":
		h.ok(w)
	case "/":
		if r.Method == http.MethodGet && r.URL.Query().Get("query") == "" && r.ContentLength <= 0 {
			h.ok(w)
			return
		}
		h.query(w, r)
	default:
		http.Error(w, fmt.Sprintf("There is no handle %s\n\nUse / or /ping for health checks.\nSend queries to / with the query as parameter or body.", r.URL.Path), http.StatusNotFound)
	}
}

func (h *handler) ok(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/html; charset=UTF-8")
	if _, err := io.WriteString(w, "Ok.\n"); err != nil {
		h.log.Debug("a client went away", "err", err)
	}
}

func (h *handler) query(w http.ResponseWriter, r *http.Request) {
	values := r.URL.Query()
	id := values.Get("query_id")
	if id == "" {
		id = rand.Text()
	}
	w.Header().Set("X-ClickHouse-Query-Id", id)

	res := newResponse(w, r)
	err := h.run(r, res)
	if err == nil {
		err = res.end()
	}
	if err == nil {
		return
	}
	var gone *goneError
	if errors.As(err, &gone) || r.Context().Err() != nil {
		h.log.Debug("a client went away", "query_id", id, "err", err)
		return
	}
	e := exceptionOf(err)
	h.log.Debug("a query failed", "query_id", id, "code", e.Code, "err", e.Message)
	if err := res.fail(e, h.engine.version); err != nil {
		h.log.Debug("a client went away", "query_id", id, "err", err)
	}
}

// run reads the request, runs its statement and writes the result.
func (h *handler) run(r *http.Request, res *response) error {
	if strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/") {
		return &Exception{Code: codeNotImplemented, Message: "Code: 48. DB::Exception: The embedded ClickHouse takes no external tables over HTTP: insert them into a table. (NOT_IMPLEMENTED)"}
	}
	body, err := readBody(r)
	if err != nil {
		return err
	}
	values := r.URL.Query()
	st, data, err := readStatement(values.Get("query"), body)
	if err != nil {
		return err
	}
	prepare, err := settingStatements(values, firstOf(values.Get("database"), r.Header.Get("X-ClickHouse-Database")))
	if err != nil {
		return err
	}
	if r.Method != http.MethodPost && r.Method != http.MethodPut {
		// As on a server: a link that is followed changes nothing.
		prepare = append(prepare, "SET readonly = 2")
	}
	sql := st.text
	if st.kind == insertData {
		file, name, err := spool(data)
		if err != nil {
			return err
		}
		defer func() { _ = file.Close() }() // memory that nobody reads any more
		sql = st.insert.sql(name)
		st.format = "" // it is the format of the data
	}
	format := firstOf(st.format, values.Get("default_format"), r.Header.Get("X-ClickHouse-Format"), "TabSeparated")
	res.format = format
	params := queryParams(values)
	return h.engine.do(r.Context(), func(s *session) error {
		for _, p := range prepare {
			if _, err := s.query(p, "Null", nil); err != nil {
				return err
			}
		}
		if st.kind == query && streamable(format) {
			return runStream(r.Context(), s, res, sql, format, params)
		}
		out, err := s.query(sql, format, params)
		if err != nil {
			return err
		}
		return res.add(out)
	})
}

// runStream sends a result block by block, so that its size does not matter (P8).
func runStream(ctx context.Context, s *session, res *response, sql, format string, params []param) error {
	blocks, err := s.stream(sql, format, params)
	if err != nil {
		return err
	}
	defer blocks.close()
	for {
		block, more, err := blocks.next()
		if err != nil {
			return err
		}
		if !more {
			return nil
		}
		if err := res.add(block); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}
