package exact

import "context"

type dispatchTask struct{}

func (*dispatchTask) run(context.Context) error { return nil }
