package sandbox

import (
	"bufio"
	"encoding/json"
	"os"
)

// journal is a file with one JSON value a line, read once and then only
// appended to.
type journal[T any] struct{ f *os.File }

// openJournal replays the file into apply. A last line that was cut off by a
// crash is left out.
func openJournal[T any](path string, apply func(T)) (*journal[T], error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	lines := bufio.NewReaderSize(f, 1<<16)
	for {
		line, err := lines.ReadBytes('\n')
		var v T
		if len(line) > 1 && json.Unmarshal(line, &v) == nil {
			apply(v)
		}
		if err != nil {
			if len(line) > 0 {
				_, _ = f.Write([]byte("\n"))
			}
			return &journal[T]{f}, nil
		}
	}
}

func (j *journal[T]) append(v T) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = j.f.Write(append(b, '\n'))
	return err
}

func (j *journal[T]) close() error { return j.f.Close() }
