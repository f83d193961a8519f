package city

// disease is a diagnosis: its ICD-10 code and its Vietnamese name.
type disease struct{ code, name string }

// diseases by how often they bring people to a hospital of the city.
var diseases = []weighted[disease]{
	{disease{"I10", "Tăng huyết áp vô căn (nguyên phát)"}, 12}, {disease{"E11.9", "Đái tháo đường típ 2, chưa có biến chứng"}, 8},
	{disease{"J06.9", "Nhiễm trùng đường hô hấp trên cấp tính"}, 9}, {disease{"J20.9", "Viêm phế quản cấp"}, 5}, {disease{"J18.9", "Viêm phổi"}, 4},
	{disease{"J45.9", "Hen phế quản"}, 2}, {disease{"J44.9", "Bệnh phổi tắc nghẽn mạn tính"}, 2}, {disease{"K29.7", "Viêm dạ dày"}, 5},
	{disease{"K21.9", "Bệnh trào ngược dạ dày - thực quản"}, 5}, {disease{"K35.8", "Viêm ruột thừa cấp"}, 1.5}, {disease{"K80.2", "Sỏi túi mật"}, 1},
	{disease{"A90", "Sốt xuất huyết Dengue"}, 4}, {disease{"A09", "Tiêu chảy và viêm dạ dày - ruột do nhiễm trùng"}, 3}, {disease{"B08.4", "Bệnh tay chân miệng"}, 2.5},
	{disease{"A15.0", "Lao phổi"}, 1}, {disease{"B18.1", "Viêm gan vi rút B mạn tính"}, 2}, {disease{"B20", "Bệnh do HIV"}, 0.5}, {disease{"M54.5", "Đau thắt lưng"}, 4},
	{disease{"M17.9", "Thoái hóa khớp gối"}, 3}, {disease{"M10.9", "Bệnh gút"}, 1.5}, {disease{"M81.9", "Loãng xương"}, 1}, {disease{"I25.9", "Bệnh tim thiếu máu cục bộ mạn tính"}, 3},
	{disease{"I20.9", "Cơn đau thắt ngực"}, 1.5}, {disease{"I21.9", "Nhồi máu cơ tim cấp"}, 0.7}, {disease{"I50.9", "Suy tim"}, 1.2}, {disease{"I63.9", "Nhồi máu não"}, 1.3},
	{disease{"I64", "Tai biến mạch máu não"}, 0.8}, {disease{"E78.5", "Rối loạn chuyển hóa lipoprotein"}, 4}, {disease{"E05.9", "Cường giáp"}, 0.8}, {disease{"E04.9", "Bướu giáp"}, 0.8},
	{disease{"N18.9", "Bệnh thận mạn"}, 1.5}, {disease{"N39.0", "Nhiễm khuẩn đường tiết niệu"}, 2}, {disease{"N20.0", "Sỏi thận"}, 1.2}, {disease{"O80", "Đẻ thường một thai"}, 2},
	{disease{"O82", "Mổ lấy thai"}, 1.5}, {disease{"Z34", "Theo dõi thai bình thường"}, 3}, {disease{"P59.9", "Vàng da sơ sinh"}, 0.8}, {disease{"S06.0", "Chấn động não"}, 0.7},
	{disease{"S52.5", "Gãy đầu dưới xương quay"}, 0.8}, {disease{"S82.2", "Gãy thân xương chày"}, 0.6}, {disease{"T14.9", "Tổn thương do tai nạn giao thông"}, 1}, {disease{"H25.9", "Đục thủy tinh thể tuổi già"}, 1},
	{disease{"H10.9", "Viêm kết mạc"}, 1.5}, {disease{"K02.9", "Sâu răng"}, 2}, {disease{"L20.9", "Viêm da cơ địa"}, 1.5}, {disease{"L50.9", "Mày đay"}, 1.2},
	{disease{"G43.9", "Đau nửa đầu"}, 1}, {disease{"G47.0", "Rối loạn giấc ngủ"}, 1.2}, {disease{"F32.9", "Giai đoạn trầm cảm"}, 0.8}, {disease{"F41.9", "Rối loạn lo âu"}, 1},
	{disease{"C34.9", "U ác của phế quản hoặc phổi"}, 0.4}, {disease{"C50.9", "U ác của vú"}, 0.4}, {disease{"C22.0", "Ung thư biểu mô tế bào gan"}, 0.4}, {disease{"D50.9", "Thiếu máu thiếu sắt"}, 1},
	{disease{"U07.1", "COVID-19, vi rút được xác định"}, 0.5}, {disease{"Z00.0", "Khám sức khỏe tổng quát"}, 3},
}
