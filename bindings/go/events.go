package dividere

type eventHook struct{}
