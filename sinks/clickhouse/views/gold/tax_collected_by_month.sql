CREATE OR REPLACE VIEW gold.tax_collected_by_month
(
    month Date COMMENT 'Tháng — Month',
    kind Nullable(String) COMMENT 'Loại người nộp thuế — Kind of taxpayer',
    payments UInt64 COMMENT 'Số lần nộp — Payments',
    collected Decimal(38, 2) COMMENT 'Đã thu (đồng) — Collected in dong',
    as_of Nullable(DateTime64(6, 'Asia/Ho_Chi_Minh')) COMMENT 'Số liệu tính đến — Right as of'
)
AS
WITH
    (SELECT minOrNull(as_of) FROM ops.as_of WHERE dataset IN ('tax_tax_payment', 'tax_taxpayer')) AS fresh,
    toDate(fresh) AS today
SELECT
    toDate(toStartOfMonth(assumeNotNull(p.paid_at))) AS month,
    t.kind AS kind,
    count() AS payments,
    ifNull(sum(p.amount), 0) AS collected,
    any(fresh) AS as_of
FROM silver.v_tax_tax_payment AS p
LEFT ANY JOIN silver.v_tax_taxpayer AS t ON t.taxpayer_id = p.taxpayer_id AND t._source = p._source
WHERE p.paid_at IS NOT NULL
GROUP BY month, t.kind
COMMENT 'Thuế đã thu theo tháng và loại người nộp thuế — Tax collected by month and kind of taxpayer'
