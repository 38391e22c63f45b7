package kube

import (
	"testing"
	"time"
)

func TestLastWordsOfAContainer(t *testing.T) {
	for message, want := range map[string]string{
		"":                       "",
		"one line\n":             "one line",
		"starting\nit broke\n\n": "it broke",
		"INFO a\r\nERROR b\r\n":  "ERROR b",
		"panic: boom\n\ngoroutine 1 [running]:\nmain.main()\n\t/app/main.go:4 +0x1d\nexit status 2\n": "panic: boom",
		"fatal error: all goroutines are asleep - deadlock!\n\ngoroutine 1 [chan receive]:\n":         "fatal error: all goroutines are asleep - deadlock!",
		"Traceback (most recent call last):\n  File \"x.py\", line 1\nKeyError: 'cart'\n":             "KeyError: 'cart'",
	} {
		equal(t, lastWords(message), want)
	}
}

func TestMessagesOfTheKubeletAndTheScheduler(t *testing.T) {
	for message, want := range map[string]time.Duration{
		"back-off 2m40s restarting failed container=app pod=checkout_shop(1)": 160 * time.Second,
		"back-off 5m0s restarting failed container=app pod=checkout_shop(1)":  5 * time.Minute,
		"back-off soon restarting failed container=app":                       0,
		`Back-off pulling image "x"`:                                          0,
		"":                                                                    0,
	} {
		equal(t, backoff(message), want)
	}
	for message, want := range map[string]string{
		`Back-off pulling image "x": ErrImagePull: x: not found`: "x: not found",
		`Back-off pulling image "x"`:                             `Back-off pulling image "x"`,
		"x: not found":                                           "x: not found",
	} {
		equal(t, pullCause(message), want)
	}
	for message, want := range map[string]string{
		"0/3 nodes are available: 3 Insufficient memory. preemption: 0/3 nodes are available.":                                "0/3 nodes are available: 3 Insufficient memory",
		"0/6 nodes are available: 6 Insufficient cpu. no new claims to deallocate, preemption: 0/6 nodes are available: 6 x.": "0/6 nodes are available: 6 Insufficient cpu",
		"0/3 nodes are available: persistentvolumeclaim \"data\" not found.":                                                  "0/3 nodes are available: persistentvolumeclaim \"data\" not found",
	} {
		equal(t, schedulerMessage(message), want)
	}
	for message, want := range map[string]string{
		"0/3 nodes are available: 3 Insufficient memory":                                       "3 of 3 nodes: not enough memory",
		"0/3 nodes are available: 1 Insufficient cpu, 2 Insufficient memory":                   "1 of 3 nodes: not enough cpu, 2 of 3 nodes: not enough memory",
		"0/3 nodes are available: 3 node(s) had untolerated taint(s)":                          "",
		"No nodes are available that match all of the predicates:: Insufficient memory (3), x": "3 nodes: not enough memory",
		"Insufficient memory, somehow":                                                         "",
		"":                                                                                     "",
	} {
		equal(t, shortages(message), want)
	}
}

func TestTimesInWords(t *testing.T) {
	for at, want := range map[time.Time]string{
		noon.Add(-time.Second).UTC(): "11:59:59",
		noon.Add(-13 * time.Hour):    "Nov 19 23:00:00",
		noon.AddDate(-1, 0, 0):       "2025-11-20 12:00:00",
		{}:                           "an unknown time",
	} {
		equal(t, clock(noon, at), want)
	}
	for d, want := range map[time.Duration]string{
		48 * time.Second: "0:48", 119 * time.Second: "1:59", time.Hour + 2*time.Minute + 3*time.Second: "1:02:03",
	} {
		equal(t, countdown(d), want)
	}
	equal(t, ago(noon, noon.Add(time.Second)), "0s ago") // a clock that runs ahead
	equal(t, ago(noon, time.Time{}), "at an unknown time")
}

func TestAmountsInWords(t *testing.T) {
	for bytes, want := range map[int64]string{
		0: "0", 1000: "1000", 128 << 20: "128Mi", 24 << 30: "24Gi", 1536 << 20: "1536Mi", 1009286400: "962Mi", 5 << 10: "5Ki",
	} {
		equal(t, memText(bytes), want)
	}
	equal(t, cpuText(2000), "2")
	equal(t, cpuText(1500), "1500m")
	equal(t, percentText(1, 0), "-")
}
