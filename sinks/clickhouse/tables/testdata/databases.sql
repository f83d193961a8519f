CREATE DATABASE IF NOT EXISTS bronze COMMENT 'Sự kiện: mọi thay đổi như đã nhận — What happened: every change as it came';
CREATE DATABASE IF NOT EXISTS silver COMMENT 'Hiện trạng: phiên bản mới nhất của mỗi bản ghi — What is: the latest version of every record';
CREATE DATABASE IF NOT EXISTS gold COMMENT 'Chỉ số và kho chủ đề cho lãnh đạo — What leaders read: marts and indicators';
CREATE DATABASE IF NOT EXISTS ops COMMENT 'Vận hành: độ trễ, đối soát, bản ghi lỗi, danh mục — Operations: freshness, reconciliation, dead letters, catalogue';
