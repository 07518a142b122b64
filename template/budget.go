package template

import (
	"fmt"
	"reflect"
	"sync"
	"time"

	"github.com/osteele/liquid/render"
	"github.com/osteele/liquid/values"
)

// rendering runs one text after the other: its filters take longer to install than
// most texts to fill, and what a text says is gathered where the last one's was.
type rendering struct {
	expense
	config render.Config
	out    capped
}

// renderings are those that run nothing now.
var renderings = sync.Pool{New: func() any {
	r := &rendering{config: grammar}
	r.install(&r.config)
	return r
}}

// expense is what one run of a text has spent, and what went wrong.
type expense struct {
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
func (r *rendering) turn(pieces, bytes int) error {
	if r.turns++; r.turns > maxTurns {
		return r.fail(ErrTooLong)
	}
	return r.spend(pieces, bytes)
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
	do := directly(filter, func(args []any) (any, error) { return values.Call(fn, args) })
	p.config.AddFilter(name, func(value any, params ...any) (any, error) { return p.call(name, do, value, params) })
}

// directly calls the filters that mails use most where their arguments are as they
// want them; the library's way, which converts them, takes longer than the filters.
func directly(filter any, convert func([]any) (any, error)) func([]any) (any, error) {
	return func(args []any) (any, error) {
		switch fn := filter.(type) {
		case func(value, otherwise any) any:
			if len(args) == 2 {
				return fn(args[0], args[1]), nil
			}
		case func(value any, format func(string) string) (string, error):
			if len(args) == 1 {
				return fn(args[0], func(format string) string { return format })
			}
			if format, ok := args[1].(string); ok && len(args) == 2 {
				return fn(args[0], func(string) string { return format })
			}
		}
		return convert(args)
	}
}

func (p paying) call(name string, fn func([]any) (any, error), value any, params []any) (out any, err error) {
	// The library panics on values that a filter cannot take, in words that hold
	// the values.
	defer func() {
		if recover() != nil {
			out, err = nil, p.run.fail(fmt.Errorf("the filter `%s` cannot take what it is given", name))
		}
	}()
	args := make([]any, 1, len(params)+1)
	args[0] = opened(value)
	for _, param := range params {
		args = append(args, opened(param))
	}
	if out, err = fn(args); err != nil {
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
