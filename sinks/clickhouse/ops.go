package clickhouse

import (
	"context"

	"github.com/hopluu/hopluu/schemas/sectors"
)

// opsTables are the tables of operations. Their shapes only ever grow.
var opsTables = []string{
	`CREATE TABLE IF NOT EXISTS ops.freshness
(
    topic LowCardinality(String) COMMENT 'Chủ đề Kafka — Kafka topic',
    partition Int32 COMMENT 'Phân vùng — Partition',
    offset Int64 COMMENT 'Vị trí cuối đã ghi — Last offset written',
    commit_time DateTime64(6, 'UTC') COMMENT 'Mọi thay đổi tại nguồn đến thời điểm này đã được ghi — Every change committed at the source up to this time is written',
    applied_at DateTime64(6, 'UTC') COMMENT 'Thời điểm ghi — Time of writing'
)
ENGINE = ReplacingMergeTree(applied_at)
ORDER BY (topic, partition)
COMMENT 'Độ tươi của dữ liệu theo phân vùng — Freshness by partition'`,
	`CREATE TABLE IF NOT EXISTS ops.dead_letter
(
    at DateTime64(6, 'UTC') COMMENT 'Thời điểm của trạng thái — Since when it is in its state',
    dataset LowCardinality(String) COMMENT 'Bộ dữ liệu — Data set',
    topic LowCardinality(String) COMMENT 'Chủ đề Kafka — Kafka topic',
    partition Int32 COMMENT 'Phân vùng — Partition',
    offset Int64 COMMENT 'Vị trí — Offset',
    schema_id UInt32 COMMENT 'Mã lược đồ — Schema id',
    reason String COMMENT 'Lý do không ghi được — Why it could not be applied',
    key String COMMENT 'Khóa, nguyên dạng — Key, as it came',
    value String COMMENT 'Giá trị, nguyên dạng — Value, as it came'
)
ENGINE = ReplacingMergeTree(at)
ORDER BY (topic, partition, offset)
COMMENT 'Bản ghi không ghi được, chờ xử lý — Records that could not be applied, waiting to be dealt with'`,
	`ALTER TABLE ops.dead_letter
    ADD COLUMN IF NOT EXISTS written DateTime64(3, 'UTC') COMMENT 'Thời điểm ghi vào Kafka — Time of writing to Kafka',
    ADD COLUMN IF NOT EXISTS record String COMMENT 'Tên bản ghi; trống khi khóa không đọc được — Name of the record; empty when its key cannot be read',
    ADD COLUMN IF NOT EXISTS state LowCardinality(String) DEFAULT 'open' COMMENT 'Trạng thái: open chờ, retry và discard đang yêu cầu, retried đã ghi, discarded đã bỏ — State: open, retry and discard asked for, retried, discarded'`,
	`CREATE TABLE IF NOT EXISTS ops.reconciliation
(
    run_id UUID COMMENT 'Lần đối soát — Run',
    at DateTime64(6, 'UTC') COMMENT 'Thời điểm — When',
    table String COMMENT 'Bảng nguồn — Source table',
    source_rows UInt64 COMMENT 'Số dòng tại nguồn — Rows at the source',
    clickhouse_rows UInt64 COMMENT 'Số dòng tại kho — Rows in ClickHouse',
    source_checksum String COMMENT 'Tổng kiểm tra tại nguồn — Checksum at the source',
    clickhouse_checksum String COMMENT 'Tổng kiểm tra tại kho — Checksum in ClickHouse',
    missing UInt64 COMMENT 'Số dòng thiếu — Rows missing here',
    extra UInt64 COMMENT 'Số dòng thừa — Rows too many here',
    different UInt64 COMMENT 'Số dòng khác — Rows that differ',
    ok Bool COMMENT 'Khớp — Whether both agree'
)
ENGINE = MergeTree
ORDER BY (at, table)
COMMENT 'Kết quả đối soát với nguồn — Results of reconciliation with the sources'`,
	`ALTER TABLE ops.reconciliation
    ADD COLUMN IF NOT EXISTS source LowCardinality(String) COMMENT 'Nguồn — Source',
    ADD COLUMN IF NOT EXISTS lsn String COMMENT 'Vị trí nhật ký nguồn khi so sánh, của phần đầu tiên — Log position of the source that was compared, of the first range',
    ADD COLUMN IF NOT EXISTS duplicates UInt64 COMMENT 'Số dòng trùng khóa — Rows whose key another has',
    ADD COLUMN IF NOT EXISTS changed UInt64 COMMENT 'Số khóa thay đổi liên tục, không so sánh được — Keys that changed again and again and are not compared',
    ADD COLUMN IF NOT EXISTS bronze_lost UInt64 COMMENT 'Số sự kiện của chủ đề không có trong bronze — Events of the topic that bronze lacks',
    ADD COLUMN IF NOT EXISTS bronze_doubled UInt64 COMMENT 'Số sự kiện có nhiều lần trong bronze — Events that bronze has more than once',
    ADD COLUMN IF NOT EXISTS bronze_unknown UInt64 COMMENT 'Số dòng bronze không có trong chủ đề — Rows of bronze that are no event of the topic',
    ADD COLUMN IF NOT EXISTS samples Array(String) COMMENT 'Ví dụ: loại và khóa, hoặc phân vùng:vị trí — Samples: kind and key, or partition:offset',
    ADD COLUMN IF NOT EXISTS error String COMMENT 'Lý do không so sánh được; trống khi đã so sánh — Why it could not be compared; empty when it was',
    ADD COLUMN IF NOT EXISTS waiting UInt64 COMMENT 'Số khóa khác vì còn bản ghi lỗi chờ xử lý; không tính là sai khác — Keys that differ because of open dead letters, which is no difference',
    ADD COLUMN IF NOT EXISTS unreadable_letters UInt64 COMMENT 'Số bản ghi lỗi chờ xử lý không đọc được khóa — Open dead letters of which the key cannot be read'`,
	`CREATE TABLE IF NOT EXISTS ops.reconciliation_range
(
    round UUID COMMENT 'Vòng đối soát — Round',
    at DateTime64(6, 'UTC') COMMENT 'Thời điểm — When',
    source LowCardinality(String) COMMENT 'Nguồn — Source',
    table LowCardinality(String) COMMENT 'Bảng — Table',
    kind LowCardinality(String) COMMENT 'rows: dòng với silver; topic: chủ đề với bronze — rows: with silver; topic: with bronze',
    number UInt32 COMMENT 'Thứ tự của phần trong bảng — Place of the range in its table',
    after Array(String) COMMENT 'Khóa đứng ngay trước phần này; trống là từ đầu — Key before the range; empty from the beginning',
    up_to Array(String) COMMENT 'Khóa cuối của phần này; trống là đến hết — Last key of the range; empty to the end',
    last Bool COMMENT 'Phần cuối của bảng — Whether it is the last of its table',
    lsn String COMMENT 'Vị trí nhật ký nguồn khi so sánh — Log position of the source that was compared',
    source_rows UInt64 COMMENT 'Số dòng tại nguồn, hoặc sự kiện của chủ đề — Rows at the source, or events of the topic',
    clickhouse_rows UInt64 COMMENT 'Số dòng tại kho — Rows in ClickHouse',
    source_sum UInt64 COMMENT 'Tổng kiểm tra tại nguồn — Checksum at the source',
    clickhouse_sum UInt64 COMMENT 'Tổng kiểm tra tại kho — Checksum in ClickHouse',
    missing UInt64 COMMENT 'Số khóa thiếu, hoặc sự kiện thiếu — Keys missing here, or events',
    extra UInt64 COMMENT 'Số khóa thừa — Keys too many here',
    different UInt64 COMMENT 'Số khóa khác, hoặc sự kiện trùng — Keys that differ, or events that are here more than once',
    duplicates UInt64 COMMENT 'Số dòng trùng — Rows too many of the same key or event',
    changed UInt64 COMMENT 'Số khóa thay đổi liên tục — Keys that changed again and again',
    missing_keys Array(String) COMMENT 'Ví dụ — Samples',
    extra_keys Array(String) COMMENT 'Ví dụ — Samples',
    different_keys Array(String) COMMENT 'Ví dụ — Samples',
    ok Bool COMMENT 'Khớp — Whether both agree'
)
ENGINE = MergeTree
ORDER BY (round, source, table, kind, number)
TTL toDateTime(at) + INTERVAL 90 DAY
COMMENT 'Từng phần của đối soát liên tục — Ranges of the reconciliation in the background'`,
	`ALTER TABLE ops.reconciliation_range
    ADD COLUMN IF NOT EXISTS waiting UInt64 COMMENT 'Số khóa khác vì còn bản ghi lỗi chờ xử lý — Keys that differ because of open dead letters',
    ADD COLUMN IF NOT EXISTS waiting_keys Array(String) COMMENT 'Ví dụ — Samples'`,
	`CREATE TABLE IF NOT EXISTS ops.catalogue
(
    sector LowCardinality(String) COMMENT 'Lĩnh vực — Sector',
    table LowCardinality(String) COMMENT 'Bảng — Table',
    column String COMMENT 'Cột; trống là bản thân bảng — Column; empty for the table itself',
    type String COMMENT 'Kiểu tại nguồn — Type at the source',
    meaning_vi String COMMENT 'Ý nghĩa — Meaning in Vietnamese',
    meaning_en String COMMENT 'Ý nghĩa tiếng Anh — Meaning in English',
    sensitivity LowCardinality(String) COMMENT 'Mức nhạy cảm: public, internal, personal, sensitive, identifier — Sensitivity',
    owner_vi String COMMENT 'Cơ quan chủ quản — Owner',
    owner_en String COMMENT 'Cơ quan chủ quản (tiếng Anh) — Owner in English',
    system UInt8 COMMENT 'Hệ thống trong Chiến lược — System of the strategy',
    position UInt32 COMMENT 'Thứ tự — Place in the file'
)
ENGINE = ReplacingMergeTree
ORDER BY (sector, table, position)
COMMENT 'Danh mục dữ liệu, sinh từ tệp mô tả lĩnh vực — Data catalogue, made from the sector files'`,
	`CREATE TABLE IF NOT EXISTS ops.topic
(
    topic LowCardinality(String) COMMENT 'Chủ đề Kafka — Kafka topic',
    source LowCardinality(String) COMMENT 'Nguồn — Source',
    dataset LowCardinality(String) COMMENT 'Bộ dữ liệu — Data set'
)
ENGINE = ReplacingMergeTree
ORDER BY topic
COMMENT 'Chủ đề nào nuôi bộ dữ liệu nào — Which topic feeds which data set'`,
	`CREATE TABLE IF NOT EXISTS ops.sink_epoch
(
    consumer_group String COMMENT 'Nhóm tiêu thụ — Consumer group',
    epoch UInt32 COMMENT 'Kỷ nguyên, phần của mã chống ghi trùng — Epoch, part of every deduplication token',
    at DateTime64(6, 'UTC') COMMENT 'Từ lúc — Since',
    reason String COMMENT 'Lý do — Why'
)
ENGINE = MergeTree
ORDER BY (consumer_group, epoch)
COMMENT 'Kỷ nguyên của bộ ghi; phát lại dữ liệu cần kỷ nguyên mới — Epochs of the sink; a replay needs a new one'`,
	`CREATE TABLE IF NOT EXISTS ops.partition
(
    topic LowCardinality(String) COMMENT 'Chủ đề Kafka — Kafka topic',
    partition Int32 COMMENT 'Phân vùng — Partition'
)
ENGINE = ReplacingMergeTree
ORDER BY (topic, partition)
COMMENT 'Các phân vùng mà bộ ghi đọc — Partitions that the sink reads'`,
	`CREATE TABLE IF NOT EXISTS ops.audit
(
    at DateTime64(3, 'UTC') COMMENT 'Thời điểm bắt đầu — When it began',
    ended DateTime64(3, 'UTC') COMMENT 'Thời điểm kết thúc; 1970 là chưa — When it ended; 1970 when it has not',
    who String COMMENT 'Người thực hiện — Who did it',
    account String COMMENT 'Tài khoản hệ điều hành tại máy — Account of the operating system, at its machine',
    command LowCardinality(String) COMMENT 'Lệnh — Command',
    args Array(String) COMMENT 'Tham số, không có bí mật — Arguments, without secrets',
    touched Array(String) COMMENT 'Đối tượng bị tác động — What it changed',
    outcome LowCardinality(String) COMMENT 'Kết quả: begun, done, found, failed, interrupted — How it ended',
    error String COMMENT 'Lý do không thành — Why it did not end well',
    id String COMMENT 'Mã hành động — Id of the action',
    offset Int64 COMMENT 'Vị trí trong hopluu.audit; -1 là ghi thẳng khi Kafka vắng — Offset in hopluu.audit; -1 when written here while Kafka was away'
)
ENGINE = ReplacingMergeTree(ended)
ORDER BY (at, id)
COMMENT 'Nhật ký mọi thao tác vận hành — Every action of operators'`,
	`CREATE TABLE IF NOT EXISTS ops.access
(
    at DateTime64(6, 'UTC') COMMENT 'Thời điểm bắt đầu — When it began',
    ended DateTime64(6, 'UTC') COMMENT 'Thời điểm kết thúc; 1970 là chưa — When it ended; 1970 when it has not',
    user LowCardinality(String) COMMENT 'Người dùng ClickHouse — User of ClickHouse',
    initial_user LowCardinality(String) COMMENT 'Người dùng đã hỏi đầu tiên — User who asked first',
    address String COMMENT 'Địa chỉ đã hỏi — Address that it was asked from',
    outcome LowCardinality(String) COMMENT 'Kết quả: begun, done, failed, refused — How it ended',
    kind LowCardinality(String) COMMENT 'Loại câu lệnh — Kind of statement',
    tables Array(LowCardinality(String)) COMMENT 'Các bảng có cột cá nhân đã đọc — Tables of the personal columns that were read',
    columns Array(LowCardinality(String)) COMMENT 'Các cột cá nhân đã đọc — Personal columns that were read',
    rows UInt64 COMMENT 'Số dòng kết quả — Rows of the result',
    query_hash UInt64 COMMENT 'Mã băm câu lệnh, không có giá trị — Hash of the statement without its values',
    query_id String COMMENT 'Mã câu lệnh trong system.query_log — Id of the query in system.query_log',
    server LowCardinality(String) COMMENT 'Máy chủ — Server'
)
ENGINE = ReplacingMergeTree(ended)
ORDER BY (at, server, query_id)
COMMENT 'Ai đã đọc dữ liệu cá nhân — Who read personal data'`,
	`CREATE TABLE IF NOT EXISTS ops.bronze_retention
(
    dataset LowCardinality(String) COMMENT 'Bộ dữ liệu — Data set',
    at DateTime64(6, 'UTC') COMMENT 'Từ lúc — Since',
    seconds Int64 COMMENT 'Thời gian giữ mọi sự kiện sau khi ghi; 0 là mãi mãi — How long every event is kept after it landed; 0 for ever'
)
ENGINE = MergeTree
ORDER BY (dataset, at)
COMMENT 'Thời hạn giữ sự kiện trong bronze — How long bronze keeps events'`,
	`CREATE TABLE IF NOT EXISTS ops.lost_topic
(
    topic String COMMENT 'Chủ đề Kafka bị mất rồi tạo lại — Topic that was lost and made anew',
    archived String COMMENT 'Tên mới của các bản ghi đã có — Name that the records it had have now',
    at DateTime('UTC') COMMENT 'Thời điểm — When'
)
ENGINE = ReplacingMergeTree
ORDER BY (topic, archived)
COMMENT 'Các chủ đề bị mất và được tạo lại — Topics that were lost and made anew'`,
	`ALTER TABLE ops.partition
    ADD COLUMN IF NOT EXISTS topic_id UUID COMMENT 'Mã của chủ đề tại Kafka; chủ đề tạo lại có mã khác — Kafka''s id of the topic; one that is made anew has another'`,
	`CREATE TABLE IF NOT EXISTS ops.restated
(
    event_partition Int32 COMMENT 'Phân vùng của identity.event — Partition of identity.event',
    event_first Int64 COMMENT 'Vị trí của lần gộp, tách đầu tiên — Offset of the first merge or split',
    event_last Int64 COMMENT 'Vị trí của lần gộp, tách cuối cùng — Offset of the last one',
    figure LowCardinality(String) COMMENT 'Kho chủ đề; trống là dòng ghi đã tính xong — Mart; empty in the line that says that these events are counted',
    column LowCardinality(String) COMMENT 'Cột số liệu — Column of the figure',
    dimensions Map(String, String) COMMENT 'Dòng của kho chủ đề — Which row of the mart',
    old_value Nullable(Float64) COMMENT 'Giá trị với liên kết cũ; trống khi chưa có dòng này — Value with the links before; empty when there was no such row',
    new_value Nullable(Float64) COMMENT 'Giá trị với liên kết mới; trống khi không còn dòng này — Value with the links after; empty when there is no such row any more',
    as_of Nullable(DateTime64(6, 'UTC')) COMMENT 'Số liệu tính đến — Right as of',
    restated_at DateTime64(6, 'UTC') COMMENT 'Thời điểm tính lại — When it was counted',
    events Array(Int64) COMMENT 'Vị trí của các lần gộp, tách; chỉ ở dòng ghi đã tính xong — Offsets of the merges and splits; only in the line that says that they are counted',
    skipped Array(String) COMMENT 'Các kho chủ đề không tính lại được; chỉ ở dòng ghi đã tính xong — Marts that could not be counted; only in that line'
)
ENGINE = MergeTree
ORDER BY (event_partition, event_first, figure, column)
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'Số liệu thay đổi do gộp, tách người — Figures that merges and splits of persons changed'`,
	// A partition of which nothing was written yet counts as 1970: a figure
	// never claims to be fresher than the least fresh of what it is made from.
	`CREATE OR REPLACE VIEW ops.as_of
(
    dataset LowCardinality(String) COMMENT 'Bộ dữ liệu — Data set',
    as_of DateTime64(6, 'Asia/Ho_Chi_Minh') COMMENT 'Mọi thay đổi tại nguồn đến thời điểm này đã có trong kho; 1970 là chưa biết — Every change at the sources up to this time is here; 1970 when not known'
)
AS SELECT
    t.dataset AS dataset,
    toTimeZone(min(f.commit_time), 'Asia/Ho_Chi_Minh') AS as_of
FROM (SELECT DISTINCT topic, partition FROM ops.partition) AS p
INNER JOIN (SELECT DISTINCT topic, dataset FROM ops.topic) AS t ON t.topic = p.topic
LEFT JOIN (SELECT topic, partition, commit_time FROM ops.freshness FINAL) AS f ON f.topic = p.topic AND f.partition = p.partition
GROUP BY t.dataset
COMMENT 'Độ tươi của từng bộ dữ liệu — How fresh each data set is'`,
}

// erasureTables are those of the erasure ledger. Nothing is ever deleted from
// them.
var erasureTables = []string{
	`CREATE TABLE IF NOT EXISTS ops.erasure
(
    key String COMMENT 'Khóa của mục trong sổ xóa — Key of the ledger\'s message',
    value String COMMENT 'Nội dung (JSON): tên bản ghi và mã băm, không có số định danh — What it says (JSON): names of records and keyed tokens, no identifier'
)
ENGINE = ReplacingMergeTree
ORDER BY (key, value)
COMMENT 'Sổ xóa: bản sao của chủ đề identity.erasure — The erasure ledger: a copy of the topic identity.erasure'`,
	`CREATE TABLE IF NOT EXISTS ops.erased_offset
(
    topic LowCardinality(String) COMMENT 'Chủ đề Kafka — Kafka topic',
    partition Int32 COMMENT 'Phân vùng — Partition',
    offset Int64 COMMENT 'Vị trí — Offset',
    deleted UInt8 COMMENT '1 khi dòng đã có trong bronze rồi bị xóa; 0 khi không được ghi — 1 when bronze had the row; 0 when it was never written'
)
ENGINE = ReplacingMergeTree
ORDER BY (topic, partition, offset, deleted)
COMMENT 'Vị trí các sự kiện của người đã được xóa — Where the events of erased people were'`,
}

// writeCatalogue writes the sector files into ops.catalogue, and the topics
// into ops.topic: the files are the one source of both. Two sinks that start
// together write the same rows twice, which merge.
func (s *store) writeCatalogue(ctx context.Context) error {
	var c catalogue
	for i := range s.sectors.Sectors {
		sector := &s.sectors.Sectors[i]
		for k := range sector.Tables {
			t := &sector.Tables[k]
			c.add(sector, t, "", "", t.Meaning, "")
			for n := range t.Columns {
				col := &t.Columns[n]
				c.add(sector, t, col.Name, col.Type, col.Meaning, col.Sensitivity)
				if name := col.UnfitName(); name != "" {
					c.add(sector, t, name, "text", col.Meaning, col.Sensitivity)
				}
			}
		}
	}
	if err := s.server.exec(ctx, "TRUNCATE TABLE ops.catalogue"); err != nil {
		return err
	}
	if len(c.sectors) > 0 {
		err := s.server.append(ctx, "INSERT INTO ops.catalogue (sector, table, column, type, meaning_vi, meaning_en, sensitivity, owner_vi, owner_en, system, position)",
			c.sectors, c.tables, c.columns, c.types, c.vi, c.en, c.sensitivity, c.ownerVi, c.ownerEn, c.systems, c.positions)
		if err != nil {
			return err
		}
	}
	var topics, sources, datasets []string
	for _, name := range s.routes.topics() {
		r := s.routes[name]
		topics, sources, datasets = append(topics, name), append(sources, r.source), append(datasets, r.dataset)
	}
	if err := s.server.exec(ctx, "TRUNCATE TABLE ops.topic"); err != nil {
		return err
	}
	return s.server.append(ctx, "INSERT INTO ops.topic (topic, source, dataset)", topics, sources, datasets)
}

type catalogue struct {
	sectors, tables, columns, types, vi, en, sensitivity, ownerVi, ownerEn []string
	systems                                                                []uint8
	positions                                                              []uint32
}

func (c *catalogue) add(s *sectors.Sector, t *sectors.Table, column, sqlType string, meaning sectors.Text, sensitivity string) {
	owner := t.Owner
	if owner == (sectors.Text{}) {
		owner = s.Owner
	}
	system := t.System
	if system == 0 {
		system = s.System
	}
	c.sectors, c.tables, c.columns = append(c.sectors, s.Sector), append(c.tables, t.Name), append(c.columns, column)
	c.types, c.vi, c.en = append(c.types, sqlType), append(c.vi, meaning.Vi), append(c.en, meaning.En)
	c.sensitivity, c.ownerVi, c.ownerEn = append(c.sensitivity, sensitivity), append(c.ownerVi, owner.Vi), append(c.ownerEn, owner.En)
	c.systems, c.positions = append(c.systems, uint8(system)), append(c.positions, uint32(len(c.positions)))
}
