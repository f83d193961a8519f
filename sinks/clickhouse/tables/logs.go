package tables

// IdentityEvent is the data set of the topic identity.event: every merge and
// split of persons. It is a log: bronze keeps it, and silver.identity_event
// reads it there.
const IdentityEvent = "identity_event"

// IdentityAudit is the data set of the topic identity.audit: what reviewers
// did. ops.identity_audit reads it.
const IdentityAudit = "identity_audit"

// Events is the shape of the data set identity_event. It has no key, as a log
// has none: the key of its messages, a person, stands in _record.
func Events() *Table {
	text := func(name, comment string) Column {
		return Column{Name: name, Type: Type{Kind: String}, Nullable: true, Comment: comment}
	}
	return &Table{
		Sector: "identity", Name: "event",
		Comment: "Nhật ký gộp, tách người — Log of merges and splits of persons",
		Columns: []Column{
			text("kind", "Loại: merge gộp, split tách, move chuyển — Kind: merge, split or move"),
			text("before", "Những người trước đó và bản ghi của họ (JSON) — The persons before and their records (JSON)"),
			text("after", "Những người sau đó và bản ghi của họ (JSON) — The persons after and their records (JSON)"),
			text("causes", "Các bản ghi đã thay đổi hoặc được quyết định (JSON) — The records that changed or were decided on (JSON)"),
			text("model_version", "Phiên bản mô hình đối khớp — Version of the matching model"),
		},
	}
}

// Audits is the shape of the data set identity_audit.
func Audits() *Table {
	column := func(name string, kind Kind, comment string) Column {
		return Column{Name: name, Type: Type{Kind: kind}, Nullable: true, Comment: comment}
	}
	return &Table{
		Sector: "identity", Name: "audit",
		Comment: "Nhật ký việc làm của người xem xét — Log of what reviewers did",
		Columns: []Column{
			column("at", Int64, "Thời điểm (mili giây từ 1970) — When (milliseconds since 1970)"),
			column("who", String, "Người xem xét — The reviewer"),
			column("action", String, "Việc làm: list, show, decide, decisions — Action: list, show, decide or decisions"),
			column("outcome", String, "Kết quả: shown, decided, proposed, approved, withdrawn, unchanged, refused — Outcome: shown, decided, proposed, approved, withdrawn, unchanged or refused"),
			column("record_a", String, "Bản ghi thứ nhất của cặp — The pair's first record"),
			column("record_b", String, "Bản ghi kia của cặp — The pair's other record"),
			column("verdict", String, "Quyết định đã nói: same, different, undo — What was said: same, different or undo"),
			column("reason", String, "Lý do — Why, or why it was refused"),
			column("personal", Bool, "Đã xem dữ liệu cá nhân — Columns with personal data were shown"),
			column("remote", String, "Địa chỉ đã hỏi — The address that asked"),
		},
	}
}

// NamedView is a view and the statement that makes it.
type NamedView struct{ Name, SQL string }

// LogView is the readable view over the log of that data set.
func LogView(dataset string) (NamedView, bool) {
	shown := func(name, sqlType, comment string) viewColumn {
		return viewColumn{name, sqlType, "e." + Ident(name), comment}
	}
	switch dataset {
	case IdentityEvent:
		const people = "Array(Tuple(person_id String, records Array(String)))"
		list := func(name, of, comment string) viewColumn {
			return viewColumn{name, of, "JSONExtract(assumeNotNull(e." + Ident(name) + "), " + Quote(of) + ")", comment}
		}
		return NamedView{"silver.identity_event", view(Silver, "identity_event", []viewColumn{
			{"at", localType, "toTimeZone(e._commit_time, '" + TimeZone + "')", "Thời điểm của thay đổi tại nguồn — When what caused it was committed at its source"},
			shown("kind", "Nullable(String)", "Loại: merge gộp, split tách, move chuyển — merge: several persons became one; split: one became several; move: several became several others"),
			{"persons_before", "Array(String)", "arrayMap(p -> p.1, before)", "Những người trước đó — The persons before"},
			{"persons_after", "Array(String)", "arrayMap(p -> p.1, after)", "Những người sau đó — The persons after"},
			list("before", people, "Bản ghi của từng người trước đó — The records of each person before"),
			list("after", people, "Bản ghi của từng người sau đó; bản ghi mới hoặc đã mất chỉ có một bên — The records of each person after; one that is new or gone is on one side only"),
			list("causes", "Array(String)", "Các bản ghi đã thay đổi hoặc được quyết định; trống khi do mô hình khác — The records that changed or were decided on; empty when something else did it, as another model"),
			shown("model_version", "Nullable(String)", "Phiên bản mô hình đối khớp — Version of the matching model"),
			shown("_topic", "LowCardinality(String)", ownComment("_topic")),
			shown("_partition", "Int32", ownComment("_partition")),
			shown("_offset", "Int64", ownComment("_offset")),
		}, "FROM bronze.identity_event AS e", "Các lần gộp, tách người: trước, sau và nguyên nhân — Merges and splits of persons: before, after and cause")}, true
	case IdentityAudit:
		cols := []viewColumn{{"at", "Nullable(" + localType + ")", "toTimeZone(fromUnixTimestamp64Milli(e.at), '" + TimeZone + "')", "Thời điểm — When"}}
		t := Audits()
		for i := range t.Columns[1:] {
			c := &t.Columns[1+i]
			cols = append(cols, shown(c.Name, c.SQLType(), c.Comment))
		}
		cols = append(cols, shown("_partition", "Int32", ownComment("_partition")), shown("_offset", "Int64", ownComment("_offset")))
		return NamedView{"ops.identity_audit", view(Ops, "identity_audit", cols, "FROM bronze.identity_audit AS e", "Ai đã xem, đã quyết định gì về các cặp bản ghi — Who looked at which pair, and what was decided")}, true
	}
	return NamedView{}, false
}

// LinkAt is the DDL of silver.identity_link_at over the links t, which has a
// parameter:
//
//	SELECT person_id FROM silver.identity_link_at(at = '2025-10-01 00:00:00') WHERE record = 'health.patient:17'
//
// gives to whom each record belonged at that time in TimeZone, by the times of
// the changes at their sources. A link is valid until the first time of any
// later one, so that a record is never two people's.
func (t *Table) LinkAt() string {
	cols := t.viewColumns(func(c *Column) string { return "h." + Ident(c.Name) })
	cols = append(cols,
		viewColumn{"valid_from", localType, "h.valid_from", "Có hiệu lực từ — Valid from"},
		viewColumn{"valid_to", "Nullable(" + localType + ")", "h.valid_to", "Hết hiệu lực lúc; trống khi còn hiệu lực — Valid until; empty while it is valid"})
	return view(Silver, "identity_link_at", cols, `FROM
(
    SELECT
        *,
        toTimeZone(_commit_time, '`+TimeZone+`') AS valid_from,
        toTimeZone(`+LaterCommit("_source, _record")+`, '`+TimeZone+`') AS valid_to
    FROM bronze.identity_link
) AS h
WHERE h._is_deleted = 0 AND h.valid_from <= {at:`+localType+`} AND (h.valid_to IS NULL OR h.valid_to > {at:`+localType+`})`,
		"Mỗi bản ghi thuộc về ai vào một thời điểm (tham số at) — To whom each record belonged at a time (parameter at)")
}

// LaterCommit is the window expression for the first commit time of all later
// versions of a row, NULL when there is none: until then it is valid. Times of
// commits do not quite rise with the versions, and the next version's own could
// leave two valid at a time. The frame grows at one end only, so that its cost
// is that of one pass.
func LaterCommit(partition string) string {
	return "min(toNullable(_commit_time)) OVER (PARTITION BY " + partition + " ORDER BY _version DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)"
}
