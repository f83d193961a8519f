CREATE OR REPLACE VIEW gold.tax_by_kind
(
    tax_kind Nullable(String) COMMENT 'Loại thuế — Kind of tax',
    declarations UInt64 COMMENT 'Số tờ khai — Declarations',
    declared Decimal(38, 2) COMMENT 'Đã kê khai (đồng) — Declared in dong',
    on_time UInt64 COMMENT 'Nộp đúng hạn — Handed in on time',
    missing UInt64 COMMENT 'Quá hạn chưa nộp — Overdue and not handed in',
    as_of Nullable(DateTime64(6, 'Asia/Ho_Chi_Minh')) COMMENT 'Số liệu tính đến — Right as of'
)
AS
WITH
    (SELECT minOrNull(as_of) FROM ops.as_of WHERE dataset IN ('tax_declaration')) AS fresh,
    toDate(fresh) AS today
SELECT
    d.tax_kind AS tax_kind,
    count() AS declarations,
    ifNull(sum(d.declared), 0) AS declared,
    countIf(toDate(d.submitted_at) <= d.due_on) AS on_time,
    countIf(d.submitted_at IS NULL AND d.due_on < today) AS missing,
    any(fresh) AS as_of
FROM silver.v_tax_declaration AS d
WHERE d.period >= toStartOfYear(today)
GROUP BY d.tax_kind
COMMENT 'Thuế kê khai và tờ khai nộp đúng hạn theo loại thuế, năm nay — Tax declared and returns handed in on time, by kind of tax, this year'
