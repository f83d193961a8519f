package golden

import (
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/sinks/clickhouse/tables"
)

// personHistory is gold.person_history, from the log of identity.link. Times
// are those of the changes at their sources (P6), which a later link may undercut:
// a link is valid until the first time of any later one, so that a record is
// never two people at a time.
func personHistory() string {
	text := func(name, sqlType, vi, en string) viewColumn {
		return viewColumn{name, sqlType, "h." + name, sectors.Text{Vi: vi, En: en}}
	}
	return view("person_history", []viewColumn{
		text("record", "String", "Tên bản ghi: nguồn.bảng:khóa", "Name of the record: source.table:key"),
		text("source", "Nullable(String)", "Nguồn của bản ghi", "Source of the record"),
		text("sector", "Nullable(String)", "Lĩnh vực của bản ghi", "Sector of the record"),
		text("table", "Nullable(String)", "Bảng của bản ghi", "Table of the record"),
		text("person_id", "String", "Mã người mà bản ghi thuộc về trong thời gian đó", "The person to whom the record belonged in that time"),
		text("citizen", "Nullable(String)", "Bản ghi dân cư của người đó", "The person's record in the population register"),
		text("decision", "Nullable(String)", "Quyết định: link, review, apart, single", "Decision: link, review, apart or single"),
		text("rule", "Nullable(String)", "Quy tắc đã liên kết", "The rule that linked it"),
		text("model_version", "Nullable(String)", "Phiên bản mô hình đối khớp", "Version of the matching model"),
		text("valid_from", localType, "Có hiệu lực từ", "Valid from"),
		text("valid_to", "Nullable("+localType+")", "Hết hiệu lực lúc; trống khi còn hiệu lực", "Valid until; empty while it is valid"),
		text("version", "UInt128", "Thứ tự trong nhật ký liên kết của bản ghi", "Order in the log of the record's links"),
	}, `FROM
(
    SELECT
        _record AS record, source, sector, table, assumeNotNull(person_id) AS person_id, citizen, decision, rule, model_version,
        toTimeZone(_commit_time, 'Asia/Ho_Chi_Minh') AS valid_from,
        toTimeZone(`+tables.LaterCommit("_record")+`, 'Asia/Ho_Chi_Minh') AS valid_to,
        _version AS version, _is_deleted AS gone
    FROM bronze.identity_link
) AS h
WHERE h.gone = 0 AND h.person_id != '' AND (h.valid_to IS NULL OR h.valid_to > h.valid_from)`, sectors.Text{
		Vi: "Mỗi bản ghi là của ai, từ khi nào đến khi nào", En: "To whom each record belonged, and when",
	})
}
