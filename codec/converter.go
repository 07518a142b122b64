package codec

import (
	"context"
	"errors"
	"sync"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
)

// Converter is Temporal's usual converter with the codec around it, for clients
// and workers.
func Converter(c *Codec) converter.DataConverter {
	return dataConverter{converter.NewCodecDataConverter(converter.GetDefaultDataConverter(), c)}
}

type dataConverter struct{ converter.DataConverter }

var _ converter.ContextAware = dataConverter{}

// WithWorkflowContext makes workflow code wait for a key that is missing. As an
// error it would end the journey as failed, or drop the signal; as a panic it fails
// the workflow task, which Temporal tries again until a worker has the key.
func (d dataConverter) WithWorkflowContext(converter.WorkflowContext) converter.DataConverter {
	return waiting{d.DataConverter}
}

func (d dataConverter) WithContext(context.Context) converter.DataConverter { return d }

type waiting struct{ converter.DataConverter }

func (w waiting) FromPayload(payload *commonpb.Payload, into any) error {
	return readable(aside(func() error { return w.DataConverter.FromPayload(payload, into) }))
}

func (w waiting) FromPayloads(payloads *commonpb.Payloads, into ...any) error {
	return readable(aside(func() error { return w.DataConverter.FromPayloads(payloads, into...) }))
}

// aside decodes on a stack of its own. Taking JSON apart goes deep: a journey that did
// it on its own stack would wait with one of twice the size.
func aside(decode func() error) (err error) {
	var panicked any
	var decoding sync.WaitGroup
	decoding.Go(func() {
		defer func() { panicked = recover() }()
		err = decode()
	})
	decoding.Wait()
	if panicked != nil {
		panic(panicked)
	}
	return err
}

func readable(err error) error {
	var unreadable *UnreadableError
	if errors.As(err, &unreadable) {
		panic(unreadable)
	}
	return err
}
