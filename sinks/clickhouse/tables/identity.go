package tables

// IdentityLink is the data set of the topic identity.link: to which person
// each record belongs. Every v_ view joins it, so it is made at start and not
// with its first message.
const IdentityLink = "identity_link"

// IdentitySource stands in _source for rows of identity.link: the matcher
// writes them, and the source that a link speaks of is a column of its own.
const IdentitySource = "identity"

// Identity is the shape of the data set identity_link. Later versions of the
// topic's schema evolve it like any other.
func Identity() *Table {
	text := func(name, comment string) Column {
		return Column{Name: name, Type: Type{Kind: String}, Nullable: true, Comment: comment}
	}
	key := text("record", "Tên bản ghi: nguồn.bảng:khóa — Name of the record: source.table:key")
	key.Key, key.Nullable = true, false
	return &Table{
		Sector: "identity", Name: "link",
		Comment: "Liên kết mỗi bản ghi với một người — To which person each record belongs",
		Columns: []Column{
			key,
			text("source", "Nguồn của bản ghi — Source of the record"),
			text("sector", "Lĩnh vực của bản ghi — Sector of the record"),
			text("table", "Bảng của bản ghi — Table of the record"),
			text("person_id", "Mã người thống nhất trên mọi lĩnh vực — The person's id over all sectors"),
			text("citizen", "Bản ghi dân cư của người đó; trống khi chưa liên kết — The person's record in the population register; empty while not linked"),
			text("decision", "Quyết định: link liên kết, review cần xem lại, apart tách, single chưa có bản ghi khác — Decision: link, review, apart, single"),
			text("rule", "Quy tắc đã liên kết — The rule that linked it"),
			text("reasons", "Lý do (JSON) — Reasons (JSON)"),
			text("model_version", "Phiên bản mô hình đối khớp — Version of the matching model"),
		},
	}
}
