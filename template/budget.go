package template

import (
	"fmt"
	"reflect"
	"time"

	"github.com/osteele/liquid/render"
	"github.com/osteele/liquid/values"
)

// rendering is one run of a text: what it may still spend, and what went wrong.
type rendering struct {
	text   *text
	zone   *time.Location
	began  time.Time
	turns  int
	steps  int   // pieces of the text that loops did, and filters
	made   int   // bytes
	failed error // the first error of our own filters
}

// fail keeps an error as it is: the library turns errors of filters into text.
func (r *rendering) fail(err error) error {
	if r.failed == nil {
		r.failed = err
	}
	return err
}

// spend pays for steps and for the bytes that they make. The time is looked at only
// in a rendering that has done much: one that hasn't is slow because its machine is,
// which is no fault of its template.
func (r *rendering) spend(steps, bytes int) error {
	if r.made += bytes; r.made > maxMade {
		return r.fail(ErrTooLarge)
	}
	r.steps += steps
	if r.steps > maxSteps || r.steps > fewSteps && time.Since(r.began) > maxTime {
		return r.fail(ErrTooLong)
	}
	return nil
}

// turn pays for one turn of a loop, which has so many pieces and can add so many bytes
// to a captured text.
func (r *rendering) turn(pieces, bytes int) (any, error) {
	if r.turns++; r.turns > maxTurns {
		return nil, r.fail(ErrTooLong)
	}
	return "", r.spend(pieces, bytes)
}

// paying gives the library's filters to a run, each of which then pays for what it
// makes. What a filter makes is counted with all that it holds, so that no value
// of a run is ever larger than what it may spend.
type paying struct {
	run    *rendering
	config *render.Config
}

func (p paying) AddFilter(name string, filter any) {
	fn := reflect.ValueOf(filter)
	p.config.AddFilter(name, func(value any, params ...any) (any, error) { return p.call(name, fn, value, params) })
}

func (p paying) call(name string, fn reflect.Value, value any, params []any) (out any, err error) {
	// The library panics on values that a filter cannot take, in words that hold
	// the values.
	defer func() {
		if recover() != nil {
			out, err = nil, p.run.fail(fmt.Errorf("the filter `%s` cannot take what it is given", name))
		}
	}()
	args := []any{opened(value)}
	for _, param := range params {
		args = append(args, opened(param))
	}
	if out, err = values.Call(fn, args); err != nil {
		return nil, err
	}
	out = sealed(out)
	return out, p.run.spend(1, sizeOf(out, maxMade))
}

// What a value costs besides its text: about what it takes in memory.
const (
	costOfValue = 32
	costOfEntry = 64
)

// sizeOf counts what a value holds, up to a limit.
func sizeOf(value any, limit int) int {
	size := costOfValue
	switch v := value.(type) {
	case string:
		return size + len(v)
	case []any:
		for _, item := range v {
			if size += sizeOf(item, limit-size); size > limit {
				break
			}
		}
	case map[string]any:
		for key, item := range v {
			if size += costOfEntry + len(key) + sizeOf(item, limit-size); size > limit {
				break
			}
		}
	}
	return size
}
