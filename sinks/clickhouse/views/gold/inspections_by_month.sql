CREATE OR REPLACE VIEW gold.inspections_by_month
(
    month Date COMMENT 'Tháng — Month',
    inspections UInt64 COMMENT 'Số lần kiểm tra — Inspections',
    violations UInt64 COMMENT 'Có vi phạm — With a violation',
    serious UInt64 COMMENT 'Sai phạm nghiêm trọng — Serious',
    fines Decimal(38, 2) COMMENT 'Tiền phạt (đồng) — Fines in dong',
    as_of Nullable(DateTime64(6, 'Asia/Ho_Chi_Minh')) COMMENT 'Số liệu tính đến — Right as of'
)
AS
WITH
    (SELECT minOrNull(as_of) FROM ops.as_of WHERE dataset IN ('construction_inspection')) AS fresh,
    toDate(fresh) AS today
SELECT
    toDate(toStartOfMonth(assumeNotNull(i.inspected_at))) AS month,
    count() AS inspections,
    countIf(i.violation) AS violations,
    countIf(i.result = 'serious') AS serious,
    ifNull(sum(i.fine), 0) AS fines,
    any(fresh) AS as_of
FROM silver.v_construction_inspection AS i
WHERE i.inspected_at IS NOT NULL
GROUP BY month
COMMENT 'Kiểm tra trật tự xây dựng theo tháng: vi phạm và tiền phạt — Inspections of building sites by month: violations and fines'
