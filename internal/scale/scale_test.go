package main

import (
	"bytes"
	"encoding/binary"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/vt"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
)

const ms = time.Millisecond

func TestPercentilesAreValuesThatWereMeasured(t *testing.T) {
	var hundred spans
	for i := 100; i > 0; i-- {
		hundred = append(hundred, time.Duration(i)*ms)
	}
	for _, c := range []struct {
		of   spans
		q    float64
		want time.Duration
	}{
		{nil, 0.5, 0},
		{spans{7 * ms}, 0.99, 7 * ms},
		{spans{3 * ms, 1 * ms, 2 * ms}, 0.5, 2 * ms},
		{spans{1 * ms, 2 * ms}, 0.5, 1 * ms},
		{hundred, 0.5, 50 * ms},
		{hundred, 0.99, 99 * ms},
		{hundred, 1, 100 * ms},
		{hundred, 0, 1 * ms},
	} {
		if got := c.of.at(c.q); got != c.want {
			t.Errorf("%v of %d spans: %s, want %s", c.q, len(c.of), got, c.want)
		}
	}
}

func TestRequestsAreCountedByVerbAndPath(t *testing.T) {
	line := func(id, stage, uri, verb, agent, at string) string {
		return `{"auditID":"` + id + `","stage":"` + stage + `","requestURI":"` + uri + `","verb":"` + verb + `","userAgent":"` + agent +
			`","requestReceivedTimestamp":"2026-11-21T12:` + at + `.000000Z"}` + "\n"
	}
	log := line("1", "ResponseComplete", "/version", "get", "ktriage/1.0 (linux/amd64)", "00:00") + // before
		line("2", "ResponseStarted", "/api/v1/pods?watch=true&x=y", "watch", "ktriage/1.0 (linux/amd64)", "01:00") +
		line("2", "ResponseComplete", "/api/v1/pods?watch=true&x=y", "watch", "ktriage/1.0 (linux/amd64)", "01:00") +
		line("3", "ResponseComplete", "/version", "get", "ktriage/1.0 (linux/amd64)", "01:10") +
		line("4", "ResponseComplete", "/version", "get", "ktriage/1.0 (linux/amd64)", "01:20") +
		line("5", "ResponseComplete", "/api/v1/pods", "list", "kubectl/v1.36", "01:30") +
		`{"auditID":"6","stage":"Resp`
	got, err := countRequests([]byte(log), time.Date(2026, 11, 21, 12, 1, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	want := []request{{"get /version", 2}, {"watch /api/v1/pods", 1}}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if _, err := countRequests([]byte("no JSON\n"), time.Time{}); err == nil {
		t.Error("a line that is no JSON was taken")
	}
}

func TestWhatChurnSaysIsRead(t *testing.T) {
	got, err := readChanges("65 1795264303312103746\n66 1795264303563599455\ndone 5000 2.500\n")
	if err != nil {
		t.Fatal(err)
	}
	if got.rate != 2000 || len(got.answers) != 2 || got.answers[1].restarts != 66 || got.answers[1].at.UnixNano() != 1795264303563599455 {
		t.Errorf("got %+v", got)
	}
	for _, bad := range []string{"", "done 5000 2.5\n", "65 1795264303312103746\n", "65 soon\ndone 5000 2.5\n"} {
		if _, err := readChanges(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestLagIsCountedFromTheAnswerUntilItIsSeen(t *testing.T) {
	at := func(n int) time.Time { return time.Unix(1000, 0).Add(time.Duration(n) * ms) }
	var server, shown sightings
	for i, n := range []int{10, 20, 30, 40, 50} {
		server.note(at(n), i+1)
	}
	shown.note(at(15), 1)
	shown.note(at(45), 3) // 2 and 3 in one frame
	shown.note(at(46), 3)
	shown.note(at(47), 0) // off the screen
	shown.note(at(80), 4)
	shown.note(at(85), 5)
	var answers []answer
	for i, n := range []int{5, 18, 29, 40, 50, 60} {
		answers = append(answers, answer{i + 1, at(n)})
	}
	for _, c := range []struct {
		what string
		got  spans
		want spans
	}{
		{"the server behind etcd", behind(answers, &server), spans{5 * ms, 2 * ms, 1 * ms, 0, 0}},
		{"the screen behind etcd", behind(answers, &shown), spans{10 * ms, 27 * ms, 16 * ms, 35 * ms}},
		{"the screen behind the server", behind(relayed(answers, &server), &shown), spans{5 * ms, 25 * ms, 15 * ms, 35 * ms}},
	} {
		if !slices.Equal(c.got, c.want) {
			t.Errorf("%s: %v, want %v", c.what, c.got, c.want)
		}
	}
}

// draw puts lines where the program draws them.
func draw(head string, rows ...string) screen {
	e := vt.NewEmulator(120, 40)
	_, _ = e.WriteString("\x1b[3;1H" + head + "\x1b[5;1H" + strings.Join(rows, "\r\n"))
	return screen{e}
}

func TestHeadsOfThePodsPaneAreRead(t *testing.T) {
	for _, c := range []struct {
		head               string
		total, first, rows int
		match              int
		filter, field      string
	}{
		{head: "━ 3,750 not ok of 150,000 ━━━ badness · 1-32 of 150,000 › ━", total: 150000, first: 1, rows: 150000, field: "-"},
		{head: "━ all 12 ok ━━━ badness · 1-12 of 12 ━", total: 12, first: 1, rows: 12, field: "-"},
		{head: "━ 1 of 1,501  / aaa-probe ━━━ badness · 1-1 of 1 › ━", first: 1, rows: 1, match: 1, filter: "aaa-probe", field: "aaa-probe"},
		{head: "━ none of 1,501 match  / svc-1234 ━━━ live ━", filter: "svc-1234", field: "svc-1234"},
		{head: "━ / svc-1  ━━━ badness · 33-64 of 1,200 › ━", first: 33, rows: 1200, field: "svc-1"},
		{head: "━ /   ━━━ badness · 1-32 of 1,501 › ━", first: 1, rows: 1501},
		{head: "━ loading 12,400… ━━━ loading · 1-32 of 12,400 › ━", first: 1, rows: 12400, field: "-"},
	} {
		s := draw(c.head)
		if got := total(s.head()); got != c.total {
			t.Errorf("%s: total %d, want %d", c.head, got, c.total)
		}
		if first, rows := shown(s.head()); first != c.first || rows != c.rows {
			t.Errorf("%s: rows from %d of %d, want %d of %d", c.head, first, rows, c.first, c.rows)
		}
		if n, filter := matches(s.head()); n != c.match || filter != c.filter {
			t.Errorf("%s: %d pass %q, want %d and %q", c.head, n, filter, c.match, c.filter)
		}
		if got := field(s); got != c.field {
			t.Errorf("%s: %q is in the field, want %q", c.head, got, c.field)
		}
	}
}

func TestTheRestartsOfTheProbeAreRead(t *testing.T) {
	other := "· lab/svc-006-7d9f8c6b5-000f0  2/2  Running  7 (2s)  66m  worker-00000"
	for row, want := range map[string]int{
		"▌· bench/aaa-probe  2/2  Running  48  66m  worker-00000":           48,
		" ▲ bench/aaa-probe  2/2  Running  1,048 (6m52s)  66m worker-00000": 1048,
		other: 0,
	} {
		if got := restarts(draw("━ 1 not ok of 3", other, row)); got != want {
			t.Errorf("%s: %d restarts, want %d", row, got, want)
		}
	}
}

func TestFiguresAreWrittenAsPeopleReadThem(t *testing.T) {
	got := []string{
		duration(0), duration(340 * time.Microsecond), duration(12100 * time.Microsecond), duration(150 * ms),
		duration(1200 * ms), duration(-5 * ms), duration(91 * time.Second), count(0), count(999), count(12400), count(1234567),
		count(-1000), mebibytes(300 << 20),
	}
	want := []string{
		"0.00 ms", "0.34 ms", "12.1 ms", "150 ms", "1.20 s", "-5.00 ms", "91.0 s", "0", "999", "12,400", "1,234,567", "-1,000", "300 MiB",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAGoalSaysByHowMuchItIsMissed(t *testing.T) {
	g := goals{newTable("what", "reach", "measured", "")}
	g.within("first rows", time.Second, 340*ms)
	g.within("page", 16*ms, 33*ms)
	g.below("a GET", 1.25, 1.5, " x")
	g.smaller("RSS", 300<<20, 300<<20)
	want := `| what | reach | measured |  |
|---|---|---|---|
| first rows | at most 1.00 s | 340 ms | ✓ |
| page | at most 16.0 ms | 33.0 ms | misses by 17.0 ms |
| a GET | at most 1.25 x | 1.50 x | misses by 0.25 x |
| RSS | under 300 MiB | 300 MiB | misses by 0 MiB |
`
	if diff := cmp.Diff(want, g.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAReportOfAPartLeavesOutTheRest(t *testing.T) {
	r := report{all: []*figures{{size: size{10, 100}, keys: []keyed{{what: "move", took: spans{5 * ms, 7 * ms}}}}}}
	got := r.tables()
	if !strings.Contains(got, "| move: key to frame, p99 | at most 16.0 ms | 7.00 ms | ✓ |") {
		t.Errorf("the figure of move is missing:\n%s", got)
	}
	for _, section := range []string{"## Start", "## Memory", "## Pods change", "## Others", "## Growth"} {
		if strings.Contains(got, section) {
			t.Errorf("%s is there, and nothing was measured for it:\n%s", section, got)
		}
	}
}

func TestWhatPeopleWroteBelowTheReportStays(t *testing.T) {
	name := filepath.Join(t.TempDir(), "performance.md")
	r := report{all: []*figures{{size: size{10, 100}}}}
	if err := r.write(name); err != nil {
		t.Fatal(err)
	}
	first, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	const note = "\n## What stands in the way\n"
	if err := os.WriteFile(name, append(first, note...), 0o600); err != nil {
		t.Fatal(err)
	}
	r.machine.commit = "1234abc"
	if err := r.write(name); err != nil {
		t.Fatal(err)
	}
	second, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(string(second), note) || strings.Count(string(second), byHand) != 1 || !strings.Contains(string(second), "1234abc") {
		t.Errorf("the report is now:\n%s", second)
	}
}

// frame is an event of a watch, as the API server sends it in protobuf.
func frame(t *testing.T, event string, o runtime.Object) []byte {
	t.Helper()
	info, _ := runtime.SerializerInfoForMediaType(scheme.Codecs.SupportedMediaTypes(), protobuf)
	raw, err := runtime.Encode(scheme.Codecs.EncoderForVersion(info.Serializer, corev1.SchemeGroupVersion), o)
	if err != nil {
		t.Fatal(err)
	}
	data, err := (&metav1.WatchEvent{Type: event, Object: runtime.RawExtension{Raw: raw}}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(data))), data...)
}

func TestABareWatchTellsOfTheProbeAndGoesOnAfterTheLastFrame(t *testing.T) {
	pod := func(name, version string, restarts int32) *corev1.Pod {
		return &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: probeNamespace, ResourceVersion: version},
			Status:     corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{RestartCount: restarts}}},
		}
	}
	other, probe := frame(t, "MODIFIED", pod("web", "8", 5)), frame(t, "MODIFIED", pod(probeFilter, "9", 12))
	tooOld := frame(t, "ERROR", &metav1.Status{Status: metav1.StatusFailure, Code: http.StatusGone})
	for _, c := range []struct {
		what    string
		sent    [][]byte
		counts  []int
		version string
	}{
		{"nothing", nil, nil, "7"},
		{"another pod", [][]byte{other}, nil, "8"},
		{"the probe, and a frame that breaks off", [][]byte{other, probe, other[:20]}, []int{12}, "9"},
		{"the probe, and another pod", [][]byte{probe, other}, []int{12}, "8"},
		{"an error", [][]byte{probe, tooOld}, []int{12}, ""},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/api/v1/pods" || r.URL.Query().Get("resourceVersion") != "7" || r.Header.Get("Accept") != protobuf {
				t.Errorf("%s: it asks for %s as %s", c.what, r.URL, r.Header.Get("Accept"))
			}
			_, _ = w.Write(bytes.Join(c.sent, nil))
		}))
		var out bytes.Buffer
		config := &rest.Config{Host: server.URL, ContentConfig: rest.ContentConfig{ContentType: protobuf}}
		version, err := watchFrom(t.Context(), config, "7", &out)
		server.Close()
		if err != nil || version != c.version {
			t.Errorf("%s: it goes on from %q, %v; want %q", c.what, version, err, c.version)
		}
		w := &bareWatch{}
		for line := range strings.Lines(out.String()) {
			if err := w.note(strings.TrimSpace(line)); err != nil {
				t.Errorf("%s: %v", c.what, err)
			}
		}
		if w.streams != 1 || !slices.Equal(w.seen.counts, c.counts) {
			t.Errorf("%s: %d watches, restarts %v; want 1 and %v", c.what, w.streams, w.seen.counts, c.counts)
		}
	}
}

func TestKeepingUpIsMeasuredAgainstABareWatch(t *testing.T) {
	bare := spans{1 * ms, 1 * ms, 2 * ms, 2 * ms, 9000 * ms, 9000 * ms}
	for late, want := range map[time.Duration]string{9500 * ms: "✓", 4000 * ms: "✓", 9700 * ms: "misses by 200 ms"} {
		g := goals{newTable("what", "reach", "measured", "")}
		g.keepsUp(churned{rate: 5000, screen: spans{1 * ms, 1 * ms, 2 * ms, 2 * ms, late, late}, control: control{behind: bare}})
		if row := g.rows[0]; row[3] != want || row[2] != duration(late)+", a bare watch 9.00 s" {
			t.Errorf("a screen that is %s behind: %q, want %q", late, row, want)
		}
	}
	if got, want := growing(bare), "1.00 ms, 9.00 s"; got != want {
		t.Errorf("the control grows by %q, want %q", got, want)
	}
}
