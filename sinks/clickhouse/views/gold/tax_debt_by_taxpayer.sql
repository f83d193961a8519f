CREATE OR REPLACE VIEW gold.tax_debt_by_taxpayer
(
    taxpayer_id Int64 COMMENT 'Người nộp thuế — The taxpayer',
    kind Nullable(String) COMMENT 'Loại — Kind',
    person_id Nullable(String) COMMENT 'Mã người thống nhất — The person\'s id over all sectors',
    ward_code Nullable(String) COMMENT 'Mã phường, xã — Code of the ward',
    declared Decimal(38, 2) COMMENT 'Đã kê khai (đồng) — Declared in dong',
    paid Decimal(38, 2) COMMENT 'Đã nộp (đồng) — Paid in dong',
    owed Decimal(38, 2) COMMENT 'Còn nợ (đồng) — Owed in dong',
    overdue Decimal(38, 2) COMMENT 'Nợ quá hạn (đồng) — Overdue in dong',
    record String COMMENT 'Bản ghi gốc — Record at the source',
    as_of Nullable(DateTime64(6, 'Asia/Ho_Chi_Minh')) COMMENT 'Số liệu tính đến — Right as of'
)
AS
WITH
    (SELECT minOrNull(as_of) FROM ops.as_of WHERE dataset IN ('tax_taxpayer', 'tax_declaration', 'tax_tax_payment')) AS fresh,
    toDate(fresh) AS today
SELECT
    t.taxpayer_id AS taxpayer_id,
    any(t.kind) AS kind,
    any(t.person_id) AS person_id,
    any(t.ward_code) AS ward_code,
    sum(toDecimal128(ifNull(d.declared, 0), 2)) AS declared,
    sum(least(toDecimal128(ifNull(d.paid, 0), 2), toDecimal128(ifNull(d.declared, 0), 2))) AS paid,
    declared - paid AS owed,
    sumIf(toDecimal128(ifNull(d.declared, 0), 2) - least(toDecimal128(ifNull(d.paid, 0), 2), toDecimal128(ifNull(d.declared, 0), 2)), d.due_on < today) AS overdue,
    any(t._record) AS record,
    any(fresh) AS as_of
FROM silver.v_tax_taxpayer AS t
INNER JOIN
(
    SELECT x._source AS source, x.taxpayer_id AS taxpayer_id, x.due_on AS due_on, x.declared AS declared, p.amount AS paid
    FROM silver.v_tax_declaration AS x
    LEFT ANY JOIN (SELECT _source, declaration_id, sum(amount) AS amount FROM silver.v_tax_tax_payment GROUP BY _source, declaration_id) AS p
        ON p.declaration_id = x.declaration_id AND p._source = x._source
) AS d ON d.taxpayer_id = t.taxpayer_id AND d.source = t._source
GROUP BY t._source, t.taxpayer_id
COMMENT 'Thuế đã kê khai, đã nộp, còn nợ và nợ quá hạn của từng người nộp thuế — Declared, paid, owed and overdue tax of each taxpayer'
