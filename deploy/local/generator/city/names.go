package city

import "math/rand/v2"

// surnames by how often they come among 100 people of the city.
var surnames = []weighted[string]{
	{"Nguyễn", 38}, {"Trần", 11}, {"Lê", 9.5}, {"Phạm", 7}, {"Huỳnh", 4}, {"Hoàng", 1}, {"Phan", 4.5}, {"Võ", 3}, {"Vũ", 1},
	{"Đặng", 2.1}, {"Bùi", 2}, {"Đỗ", 1.6}, {"Hồ", 1.5}, {"Ngô", 1.4}, {"Dương", 1.2}, {"Lý", 1}, {"Trương", 1.4}, {"Lâm", 1},
	{"Đinh", 0.8}, {"Mai", 0.7}, {"Đoàn", 0.7}, {"Trịnh", 0.6}, {"Cao", 0.6}, {"Tô", 0.4}, {"Thái", 0.4}, {"Châu", 0.4}, {"Tạ", 0.4},
	{"Hà", 0.4}, {"Quách", 0.3}, {"Vương", 0.3}, {"Lưu", 0.4}, {"Tăng", 0.3}, {"La", 0.3}, {"Kiều", 0.2}, {"Lương", 0.5}, {"Diệp", 0.2},
}

var maleMiddles = []weighted[string]{
	{"Văn", 42}, {"Minh", 6}, {"Hữu", 6}, {"Đức", 4}, {"Quốc", 5}, {"Thanh", 5}, {"Hoàng", 5}, {"Công", 3}, {"Đình", 3}, {"Ngọc", 4},
	{"Xuân", 2}, {"Gia", 3}, {"Thành", 3}, {"Trung", 2}, {"Quang", 3}, {"Tấn", 3}, {"Duy", 2}, {"Anh", 2}, {"Bảo", 1}, {"Nhật", 1}, {"Phúc", 1},
}

var femaleMiddles = []weighted[string]{
	{"Thị", 50}, {"Thị Ngọc", 4}, {"Thị Thanh", 4}, {"Thị Kim", 4}, {"Thị Thu", 3}, {"Thị Mỹ", 3}, {"Thị Hồng", 3}, {"Ngọc", 6}, {"Kim", 3},
	{"Thanh", 3}, {"Thu", 2}, {"Phương", 2}, {"Mỹ", 2}, {"Bảo", 3}, {"Hồng", 2}, {"Khánh", 2}, {"Minh", 2}, {"Tuyết", 1}, {"Gia", 1}, {"Quỳnh", 2},
}

var maleGivens = []string{
	"An", "Anh", "Bảo", "Bình", "Cường", "Chiến", "Chính", "Công", "Danh", "Dũng", "Duy", "Dương", "Đạt", "Đăng", "Điền", "Đông", "Đức", "Giang",
	"Hải", "Hạnh", "Hào", "Hậu", "Hiền", "Hiếu", "Hiệp", "Hòa", "Hoài", "Hoàng", "Hùng", "Huy", "Hưng", "Khang", "Khánh", "Khải", "Khoa", "Khôi",
	"Kiên", "Kiệt", "Lâm", "Lập", "Lộc", "Lợi", "Long", "Luân", "Mạnh", "Minh", "Nam", "Nghĩa", "Nguyên", "Nhân", "Nhật", "Ninh", "Phát", "Phong",
	"Phú", "Phúc", "Phương", "Quân", "Quang", "Quốc", "Quyền", "Quý", "Sang", "Sinh", "Sơn", "Tài", "Tâm", "Tấn", "Thái", "Thành", "Thắng", "Thiện",
	"Thịnh", "Thọ", "Thông", "Thuận", "Tiến", "Tín", "Toàn", "Trí", "Trọng", "Trung", "Trường", "Tú", "Tuấn", "Tùng", "Tuyên", "Việt", "Vinh", "Vũ", "Vương", "Vỹ",
}

var femaleGivens = []string{
	"An", "Anh", "Ánh", "Bích", "Chi", "Châu", "Cúc", "Diễm", "Diệp", "Dung", "Duyên", "Đào", "Giang", "Hà", "Hạnh", "Hằng", "Hân", "Hiền", "Hoa", "Hòa",
	"Hồng", "Huế", "Huệ", "Hương", "Hường", "Khánh", "Lan", "Lê", "Liên", "Linh", "Loan", "Lý", "Ly", "Mai", "Mến", "Minh", "My", "Mỹ", "Nga", "Ngân",
	"Ngọc", "Nguyệt", "Nhàn", "Nhi", "Nhung", "Như", "Oanh", "Phụng", "Phương", "Phượng", "Quyên", "Quỳnh", "Sen", "Sương", "Tâm", "Tiên", "Thảo", "Thắm",
	"Thanh", "Thơ", "Thu", "Thúy", "Thủy", "Thùy", "Thư", "Thương", "Trang", "Trâm", "Trân", "Trinh", "Trúc", "Tuyền", "Tuyết", "Uyên", "Vân", "Vy", "Xuân", "Yến",
}

// twinGivens are pairs of given names that are a sign or a letter apart, as
// twins are often named.
var twinGivens = [][2]string{
	{"An", "Ân"}, {"Anh", "Ánh"}, {"Hùng", "Hưng"}, {"Thúy", "Thùy"}, {"Khang", "Khánh"}, {"Phúc", "Phước"}, {"Hòa", "Hoa"}, {"Thành", "Thanh"},
	{"Ngân", "Ngà"}, {"Vy", "Vân"}, {"Long", "Lộc"}, {"Tiến", "Tiên"}, {"Trâm", "Trân"}, {"Bảo", "Bình"}, {"Như", "Nhi"}, {"Tuấn", "Tú"},
}

// regionalNames are northern and southern forms of one name.
var regionalNames = map[string]string{
	"Huỳnh": "Hoàng", "Hoàng": "Huỳnh", "Võ": "Vũ", "Vũ": "Võ", "Phúc": "Phước", "Phước": "Phúc", "Bảo": "Bửu", "Nhân": "Nhơn", "Tùng": "Tòng",
	"Thư": "Thơ", "Thơ": "Thư", "Sinh": "Sanh", "Chính": "Chánh", "Trường": "Tràng", "Lĩnh": "Lãnh", "Phụng": "Phượng", "Phượng": "Phụng",
	"Châu": "Chu", "Đào": "Điều", "Cảnh": "Kiểng", "Hạnh": "Hành", "Vinh": "Vang",
}

func middleName(r *rand.Rand, s Sex) string {
	if s == Male {
		return draw(r, maleMiddles)
	}
	return draw(r, femaleMiddles)
}

func givenName(r *rand.Rand, s Sex) string {
	if s == Male {
		return pick(r, maleGivens)
	}
	return pick(r, femaleGivens)
}

var streets = []string{
	"Lê Lợi", "Nguyễn Huệ", "Hai Bà Trưng", "Điện Biên Phủ", "Cách Mạng Tháng Tám", "Võ Văn Tần", "Nguyễn Đình Chiểu", "Nguyễn Thị Minh Khai", "Lý Tự Trọng", "Pasteur",
	"Nam Kỳ Khởi Nghĩa", "Trần Hưng Đạo", "Nguyễn Trãi", "An Dương Vương", "Hùng Vương", "Ba Tháng Hai", "Lý Thường Kiệt", "Lạc Long Quân", "Âu Cơ", "Trường Chinh",
	"Cộng Hòa", "Hoàng Văn Thụ", "Phan Đình Phùng", "Phan Xích Long", "Lê Văn Sỹ", "Trần Quốc Thảo", "Nguyễn Văn Trỗi", "Bạch Đằng", "Xô Viết Nghệ Tĩnh", "Đinh Bộ Lĩnh",
	"Phạm Văn Đồng", "Quang Trung", "Nguyễn Oanh", "Nguyễn Kiệm", "Lê Đức Thọ", "Thống Nhất", "Phan Văn Trị", "Nguyễn Văn Quá", "Tô Ký", "Lê Văn Khương",
	"Kinh Dương Vương", "Hồng Bàng", "Tên Lửa", "Tỉnh Lộ 10", "Hương Lộ 2", "Tân Kỳ Tân Quý", "Lũy Bán Bích", "Thoại Ngọc Hầu", "Hòa Bình", "Khởi Nghĩa Bắc Sơn",
	"Tôn Đản", "Xóm Chiếu", "Nguyễn Tất Thành", "Huỳnh Tấn Phát", "Nguyễn Thị Thập", "Nguyễn Hữu Thọ", "Lê Văn Lương", "Phạm Thế Hiển", "Tùng Thiện Vương", "Dương Bá Trạc",
	"Võ Văn Ngân", "Kha Vạn Cân", "Đặng Văn Bi", "Lê Văn Việt", "Đỗ Xuân Hợp", "Nguyễn Duy Trinh", "Đồng Văn Cống", "Mai Chí Thọ", "Song Hành", "Quốc Hương",
	"Quốc Lộ 22", "Nguyễn Ảnh Thủ", "Phan Văn Hớn", "Tỉnh Lộ 8", "Tỉnh Lộ 15", "Nguyễn Văn Linh", "Quốc Lộ 50", "Đoàn Nguyễn Tuấn", "Rừng Sác", "Lê Văn Thịnh",
	"Đại Lộ Bình Dương", "Cách Mạng Tháng Mười", "Yersin", "Ngô Quyền", "Thích Quảng Đức", "Nguyễn An Ninh", "Trần Phú", "Lê Hồng Phong", "Ba Cu", "Thùy Vân",
}
