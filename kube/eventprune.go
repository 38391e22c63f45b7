package kube

// keptEvent is what stays of an event, by the field numbers of generated.proto in k8s.io/api/core/v1. What goes is mostly
// managedFields, half of an event.
var keptEvent = message(byNumber{
	1: message(byNumber{ // metadata
		1:  whole,           // name
		3:  whole,           // namespace
		5:  whole,           // uid
		6:  whole,           // resourceVersion
		8:  whole,           // creationTimestamp
		12: keptAnnotations, // annotations
	}),
	2: message(byNumber{ // involvedObject
		1: whole, // kind
		2: whole, // namespace
		3: whole, // name
		4: whole, // uid
		5: whole, // apiVersion
		7: whole, // fieldPath
	}),
	3: whole, // reason
	4: whole, // message
	5: message(byNumber{ // source
		1: whole, // component
		2: whole, // host
	}),
	6:  whole, // firstTimestamp
	7:  whole, // lastTimestamp
	8:  whole, // count
	9:  whole, // type
	10: whole, // eventTime
	11: message(byNumber{ // series
		1: whole, // count
		2: whole, // lastObservedTime
	}),
	14: whole, // reportingComponent
	15: whole, // reportingInstance
})
