// Package termtest runs programs with a terminal emulator at their other end. Its one rule: what a test looks at is what
// the terminal shows, byte by byte as it was written, and never the frame that the program meant to write.
//
// Terminal is for a Bubble Tea program inside a testing/synctest bubble: a second of the program costs no real time, and a
// goroutine that it leaves behind fails the test. Pty is a real pseudo-terminal, for the binary.
package termtest

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"testing/synctest"
	"time"

	tea "charm.land/bubbletea/v2"
	uv "github.com/charmbracelet/ultraviolet"
	"github.com/charmbracelet/x/vt"

	"ktriage/internal/queue"
)

// Terminal is a terminal emulator with a keyboard: xterm-256color, since that is what x/vt emulates well.
type Terminal struct {
	keys *queue.Queue

	mu       sync.Mutex
	emulator *vt.Emulator
	written  []byte
}

// New makes a terminal of w x h cells. Close it at the end of the bubble.
func New(w, h int) *Terminal {
	t := &Terminal{keys: queue.New(), emulator: vt.NewEmulator(w, h)}
	go func() { _, _ = io.Copy(t.keys, t.emulator) }() // the terminal's answers come in where keys come in
	return t
}

// Close ends the terminal.
func (t *Terminal) Close() {
	_ = t.keys.Close()
	_ = t.emulator.Close()
}

// Options make a program use the terminal.
func (t *Terminal) Options() []tea.ProgramOption {
	t.mu.Lock()
	defer t.mu.Unlock()
	return []tea.ProgramOption{
		tea.WithInput(t.keys), tea.WithOutput(t), tea.WithWindowSize(t.emulator.Width(), t.emulator.Height()),
		tea.WithEnvironment([]string{"TERM=xterm-256color", "SSH_TTY=/dev/pts/0"}),
	}
}

// Write implements io.Writer for the program: the line discipline of a terminal, then the emulator.
func (t *Terminal) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.written = append(t.written, p...)
	_, err := t.emulator.WriteString(strings.ReplaceAll(string(p), "\n", "\r\n"))
	return len(p), err
}

// frames is how long the program is given to show what happened: several of its frames.
const frames = 200 * time.Millisecond

// Settle lets the program show what has happened so far.
func (t *Terminal) Settle() { t.Wait(frames) }

// Wait lets virtual time pass.
func (t *Terminal) Wait(d time.Duration) {
	synctest.Wait()
	<-time.After(d)
	synctest.Wait()
}

// strokes are the keys that are not a character, as xterm sends them.
var strokes = map[string]string{
	"enter": "\r", "esc": "\x1b", "tab": "\t", "shift+tab": "\x1b[Z", "space": " ", "backspace": "\x7f",
	"up": "\x1b[A", "down": "\x1b[B", "right": "\x1b[C", "left": "\x1b[D", "home": "\x1b[H", "end": "\x1b[F",
	"pgup": "\x1b[5~", "pgdown": "\x1b[6~", "f1": "\x1bOP",
}

// Press types keys one after the other, each shown before the next: a character, or a name as keymap has it.
func (t *Terminal) Press(keys ...string) {
	for _, k := range keys {
		s, named := strokes[k]
		switch {
		case named:
		case strings.HasPrefix(k, "ctrl+"):
			s = string(rune(k[len("ctrl+")] & 0x1f))
		default:
			s = k
		}
		t.Send(s)
		t.Settle()
	}
}

// Type types a text, character by character, as quickly as the program takes it.
func (t *Terminal) Type(text string) {
	t.Send(text)
	t.Settle()
}

// Paste sends a text as a terminal does that brackets what is pasted.
func (t *Terminal) Paste(text string) {
	t.Send("\x1b[200~" + text + "\x1b[201~")
	t.Settle()
}

// Send sends bytes as they are, and does not wait.
func (t *Terminal) Send(bytes string) { _, _ = io.WriteString(t.keys, bytes) }

// Resize changes the size of the terminal, and tells the program.
func (t *Terminal) Resize(w, h int) {
	t.mu.Lock()
	t.emulator.Resize(w, h)
	t.mu.Unlock()
	t.Send(fmt.Sprintf("\x1b[48;%d;%d;0;0t", h, w)) // the in-band report: there is no SIGWINCH without a real terminal
	t.Settle()
}

// Written takes the bytes that the program has written since it was asked last.
func (t *Terminal) Written() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := string(t.written)
	t.written = nil
	return s
}

// Screen gives the lines that the terminal shows, without the spaces at their ends.
func (t *Terminal) Screen() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return Text(t.emulator)
}

// Cells is a screen of cells, as emulators have it.
type Cells interface {
	CellAt(x, y int) *uv.Cell
	Width() int
	Height() int
}

// Text gives the lines of a screen, without the spaces at their ends.
func Text(s Cells) string {
	var b strings.Builder
	for y := range s.Height() {
		var line strings.Builder
		for x := 0; x < s.Width(); x++ {
			c := s.CellAt(x, y)
			if c == nil || c.Content == "" {
				line.WriteByte(' ')
				continue
			}
			line.WriteString(c.Content)
			x += max(c.Width, 1) - 1
		}
		b.WriteString(strings.TrimRight(line.String(), " "))
		b.WriteByte('\n')
	}
	return b.String()
}

// Cell gives what the terminal shows in a cell.
func (t *Terminal) Cell(x, y int) uv.Cell {
	t.mu.Lock()
	defer t.mu.Unlock()
	if c := t.emulator.CellAt(x, y); c != nil {
		return *c
	}
	return uv.EmptyCell
}

// Size gives the size of the terminal in cells.
func (t *Terminal) Size() (w, h int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.emulator.Width(), t.emulator.Height()
}

// AltScreen reports whether the alternate screen is shown.
func (t *Terminal) AltScreen() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.emulator.IsAltScreen()
}
