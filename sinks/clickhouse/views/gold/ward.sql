CREATE OR REPLACE VIEW gold.ward
(
    code Nullable(String) COMMENT 'Mã — Code',
    name Nullable(String) COMMENT 'Tên — Name',
    kind Nullable(String) COMMENT 'Loại — Kind',
    as_of Nullable(DateTime64(6, 'Asia/Ho_Chi_Minh')) COMMENT 'Số liệu tính đến — Right as of'
)
AS
WITH
    (SELECT minOrNull(as_of) FROM ops.as_of WHERE dataset IN ('population_ward')) AS fresh,
    toDate(fresh) AS today
SELECT code, name, kind, fresh AS as_of
FROM silver.v_population_ward
WHERE valid_from <= today AND (valid_to IS NULL OR valid_to >= today)
COMMENT 'Phường, xã, đặc khu đang có hiệu lực — Wards, communes and the special zone that are valid now'
