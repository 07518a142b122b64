package campaign

import (
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/interpreter"
)

// Bounds of what an expression may put together with +, which is how values grow.
// CEL's cost model counts an addition of values whose type is not known beforehand
// as one unit, however long they are.
const (
	maxJoinedText = 1 << 20 // bytes
	maxJoinedList = 100_000 // elements
)

// addition is a + whose result is looked at.
type addition struct{ interpreter.InterpretableCall }

func boundAdditions(i interpreter.InterpretableV2) (interpreter.InterpretableV2, error) {
	if call, ok := i.(interpreter.InterpretableCall); ok && call.Function() == operators.Add {
		return addition{call}, nil
	}
	return i, nil
}

func (a addition) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	return bounded(a.InterpretableCall.Exec(frame))
}

func (a addition) Eval(vars interpreter.Activation) ref.Val {
	return bounded(a.InterpretableCall.Eval(vars))
}

func bounded(v ref.Val) ref.Val {
	size := types.Int(0)
	switch v := v.(type) {
	case types.String:
		size = types.Int(len(v)) * maxJoinedList / maxJoinedText
	case types.Bytes:
		size = types.Int(len(v)) * maxJoinedList / maxJoinedText
	case traits.Lister:
		size, _ = v.Size().(types.Int)
	}
	if size > maxJoinedList {
		return types.NewErr("the expression puts together more than %d bytes or %d elements", maxJoinedText, maxJoinedList)
	}
	return v
}
