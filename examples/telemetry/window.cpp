#include "window.hpp"
#include <algorithm>

void Window::add(const std::string &name, const std::string &unit, double value, Clock::time_point at) {
    Series &series = series_[name];
    series.unit = unit;
    series.points.push_back({at, value});
    while (series.points.front().at < at - length_)
        series.points.pop_front();
}

telemetry::Summary Window::summary(Clock::time_point now) {
    telemetry::Summary summary;
    summary.set_window_s(static_cast<double>(length_.count()));
    for (auto &[name, series] : series_) {
        while (!series.points.empty() && series.points.front().at < now - length_)
            series.points.pop_front();
        if (series.points.empty())
            continue;
        double sum = 0;
        double minimum = series.points.front().value;
        double maximum = minimum;
        for (const Point &point : series.points) {
            sum += point.value;
            minimum = std::min(minimum, point.value);
            maximum = std::max(maximum, point.value);
        }
        telemetry::SummaryRow &row = *summary.add_rows();
        row.set_name(name);
        row.set_unit(series.unit);
        row.set_readings(series.points.size());
        row.set_minimum(minimum);
        row.set_mean(sum / static_cast<double>(series.points.size()));
        row.set_maximum(maximum);
        row.set_last(series.points.back().value);
    }
    return summary;
}
