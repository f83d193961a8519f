package tables

// IdentityLink is the data set of the topic identity.link: to which person
// each record belongs. Every v_ view joins it, so it is made at start and not
// with its first message.
const IdentityLink = "identity_link"

// IdentityReview is the data set of the topic identity.review: the pairs that
// wait for a person, over which counts of persons are given as ranges.
const IdentityReview = "identity_review"

// IdentitySource stands in _source for rows of the matcher's topics: it
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
			{Name: "weight", Type: Type{Kind: Float64}, Nullable: true, Comment: "Trọng số khớp (bit) đã quyết định — The match weight in bits that decided"},
		},
	}
}

// Reviews is the shape of the data set identity_review. Later versions of the
// topic's schema evolve it like any other.
func Reviews() *Table {
	column := func(name string, kind Kind, comment string) Column {
		return Column{Name: name, Type: Type{Kind: kind}, Nullable: true, Comment: comment}
	}
	key := func(name, comment string) Column {
		return Column{Name: name, Type: Type{Kind: String}, Key: true, Comment: comment}
	}
	return &Table{
		Sector: "identity", Name: "review",
		Comment: "Các cặp bản ghi chờ người xem xét — Pairs of records that wait for a person",
		Columns: []Column{
			key("record_a", "Bản ghi thứ nhất: nguồn.bảng:khóa — The first record: source.table:key"),
			key("record_b", "Bản ghi thứ hai — The other record"),
			column("rule", String, "Lý do cần xem: weights, forbidden, shared-number, conflict hoặc tên mâu thuẫn — Why it is asked: weights, forbidden, shared-number, conflict or a contradiction's name"),
			column("weight", Float64, "Trọng số khớp (bit) — The match weight in bits"),
			column("rank", Float64, "Ảnh hưởng kỳ vọng của quyết định; lớn xem trước — The expected effect of a decision; greater first"),
			column("figures", String, "Các số liệu có thể thay đổi: deaths, insured, welfare — Published figures that it may change"),
			column("records_a", Int64, "Số bản ghi của người thứ nhất — Records of the first one's person"),
			column("records_b", Int64, "Số bản ghi của người thứ hai — Records of the other one's person"),
			column("sectors_a", String, "Các lĩnh vực của người thứ nhất — Sectors of the first one's person"),
			column("sectors_b", String, "Các lĩnh vực của người thứ hai — Sectors of the other one's person"),
			column("register", Bool, "Một trong hai có trong sổ dân cư — One of them is in the population register"),
			column("died", Bool, "Một trong hai đã mất mà người kia không ghi — One of them has a death that the other does not know"),
			column("evidence", String, "Mức độ khớp từng so sánh (JSON) — The level of agreement of every comparison (JSON)"),
			column("model_version", String, "Phiên bản mô hình đối khớp — Version of the matching model"),
		},
	}
}
