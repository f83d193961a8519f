package tables

import "strings"

// ownColumn is a column that the sink adds to the source's.
type ownColumn struct {
	name, sqlType, comment string
	bronze, silver         bool
	def                    string // DEFAULT expression: the sink does not send the column
}

// The sink's own columns, in the order of DDL and of inserts.
var ownColumns = []ownColumn{
	{name: "_record", sqlType: "String", bronze: true, silver: true,
		comment: "Tên bản ghi: nguồn.bảng:khóa — Name of the record: source.table:key"},
	{name: "_op", sqlType: "LowCardinality(String)", bronze: true, silver: true,
		comment: "Thao tác: c tạo, u sửa, d xóa, r đọc ban đầu, t xóa trắng, m đọc lại xong — Operation: c create, u update, d delete, r snapshot read, t truncate, m new snapshot complete"},
	{name: "_version", sqlType: "UInt128", bronze: true, silver: true,
		comment: "Thứ tự của sự kiện tại nguồn: kỷ nguyên, LSN, số thứ tự — Order of the event at its source: epoch, LSN, ordinal"},
	{name: "_is_deleted", sqlType: "UInt8", bronze: true, silver: true,
		comment: "1 khi bản ghi đã bị xóa — 1 when the record was deleted"},
	{name: "_unchanged", sqlType: "Array(String)", bronze: true,
		comment: "Các cột mà bản cập nhật không gửi giá trị — Columns whose value the update did not send"},
	{name: "_incomplete", sqlType: "Array(String)", silver: true,
		comment: "Các cột có giá trị chưa biết vì nguồn không gửi — Columns whose value is not known, because the source did not send it"},
	{name: "_arrays", sqlType: "Array(String)", bronze: true, silver: true,
		comment: "Các cột mảng khác NULL; mảng không có tên ở đây là NULL — Array columns that are not NULL; an array that is not named here is NULL"},
	{name: "_range", sqlType: "Array(String)", bronze: true,
		comment: "Phần bảng đã đọc lại (thao tác m): cột, từ, đến; trống là cả bảng — The part of the table that was read anew (operation m): column, from, to; empty for all of it"},
	{name: "_tx", sqlType: "Int64", bronze: true,
		comment: "Số giao dịch tại nguồn — Transaction number at the source"},
	{name: "_lsn", sqlType: "UInt64", bronze: true, silver: true,
		comment: "Vị trí nhật ký (LSN) của giao dịch — Log position (LSN) of the transaction's commit"},
	{name: "_commit_time", sqlType: "DateTime64(6, 'UTC')", bronze: true, silver: true,
		comment: "Thời điểm giao dịch hoàn tất tại nguồn — Commit time at the source"},
	{name: "_source", sqlType: "LowCardinality(String)", bronze: true, silver: true,
		comment: "Nguồn: cơ sở dữ liệu gốc — Source: the database of origin"},
	{name: "_topic", sqlType: "LowCardinality(String)", bronze: true, silver: true,
		comment: "Chủ đề Kafka — Kafka topic"},
	{name: "_partition", sqlType: "Int32", bronze: true, silver: true,
		comment: "Phân vùng Kafka — Kafka partition"},
	{name: "_offset", sqlType: "Int64", bronze: true, silver: true,
		comment: "Vị trí trong phân vùng Kafka — Kafka offset"},
	{name: "_ingested_at", sqlType: "DateTime64(6, 'UTC')", bronze: true, def: "now64(6, 'UTC')",
		comment: "Thời điểm ghi vào kho — Time of arrival in the warehouse"},
}

func isOwn(name string) bool {
	if !strings.HasPrefix(name, "_") {
		return false
	}
	for i := range ownColumns {
		if ownColumns[i].name == name {
			return true
		}
	}
	return false
}
