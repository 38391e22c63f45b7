package certs

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

const (
	// mostMetrics bounds what is read of an answer to GET /metrics: that of a big API server has tens of megabytes.
	mostMetrics = 64 << 20
	// longestSample bounds a line of it.
	longestSample = 64 << 10
)

// samples asks for metrics in the text format of Prometheus and gives those of the names, by all that stands before their
// values: "name{labels}". Families of metrics come in the order of their names, so that nothing is read beyond the last.
func (i *Inventory) samples(ctx context.Context, path string, names ...string) (map[string]float64, error) {
	body, err := i.cluster.Client().CoreV1().RESTClient().Get().AbsPath(path).SetHeader("Accept", "text/plain").Stream(ctx)
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", path, err)
	}
	defer func() { _ = body.Close() }()
	out, last := map[string]float64{}, slices.Max(names)
	lines := bufio.NewScanner(io.LimitReader(body, mostMetrics))
	lines.Buffer(make([]byte, 0, longestSample), longestSample)
	for lines.Scan() {
		line := lines.Text()
		name := line
		if end := strings.IndexAny(line, "{ "); end > 0 {
			name = line[:end]
		}
		switch {
		case strings.HasPrefix(line, "#"):
		case slices.Contains(names, name):
			if at := strings.LastIndexByte(line, ' '); at > 0 {
				if v, err := strconv.ParseFloat(line[at+1:], 64); err == nil {
					out[line[:at]] = v
				}
			}
		case name > last:
			return out, nil
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return out, nil
}
