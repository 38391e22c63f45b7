package kube

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// What stays of workloads, by the field numbers of generated.proto in k8s.io/api/apps/v1, batch/v1, autoscaling/v2 and
// policy/v1. Most of each is its pod template, and nothing of that is needed.
var (
	keptWorkloads = map[string]map[string]*keep{
		"apps/v1": {
			"StatefulSet": keptStatefulSet, "Deployment": keptDeployment, "DaemonSet": keptDaemonSet, "ReplicaSet": keptReplicaSet,
		},
		"batch/v1":       {"Job": keptJob, "CronJob": keptCronJob},
		"autoscaling/v2": {"HorizontalPodAutoscaler": keptAutoscaler},
		"policy/v1":      {"PodDisruptionBudget": keptBudget},
	}

	keptStatefulSet = message(byNumber{
		1: workloadMeta(true), // metadata
		2: message(byNumber{ // spec
			1: whole, // replicas
			6: whole, // podManagementPolicy
			7: message(byNumber{ // updateStrategy
				1: whole,                       // type
				2: message(byNumber{1: whole}), // rollingUpdate: partition
			}),
			10: message(byNumber{2: whole}), // persistentVolumeClaimRetentionPolicy: whenScaled
			11: message(byNumber{1: whole}), // ordinals: start
		}),
		3: message(byNumber{ // status
			1:  whole, // observedGeneration
			2:  whole, // replicas
			3:  whole, // readyReplicas
			5:  whole, // updatedReplicas
			6:  whole, // currentRevision
			7:  whole, // updateRevision
			11: whole, // availableReplicas
		}),
	})

	keptDeployment = message(byNumber{
		1: workloadMeta(true, revisionAnnotation), // metadata
		2: message(byNumber{ // spec
			1: whole,                       // replicas
			4: message(byNumber{1: whole}), // strategy: type
			7: whole,                       // paused
		}),
		3: message(byNumber{ // status
			1: whole, // observedGeneration
			2: whole, // replicas
			3: whole, // updatedReplicas
			4: whole, // availableReplicas
			6: message(byNumber{ // conditions
				1: whole, // type
				2: whole, // status
				4: whole, // reason
				5: whole, // message
				7: whole, // lastTransitionTime
			}),
			7: whole, // readyReplicas
		}),
	})

	keptDaemonSet = message(byNumber{
		1: workloadMeta(true), // metadata
		2: message(byNumber{ // spec
			3: message(byNumber{1: whole}), // updateStrategy: type
		}),
		3: message(byNumber{ // status
			1: whole, // currentNumberScheduled
			3: whole, // desiredNumberScheduled
			4: whole, // numberReady
			5: whole, // observedGeneration
			6: whole, // updatedNumberScheduled
			7: whole, // numberAvailable
		}),
	})

	keptReplicaSet = message(byNumber{
		1: workloadMeta(true, revisionAnnotation), // metadata
		2: message(byNumber{1: whole}),            // spec: replicas
		3: message(byNumber{ // status
			1: whole,            // replicas
			3: whole,            // observedGeneration
			4: whole,            // readyReplicas
			5: whole,            // availableReplicas
			6: keptOldCondition, // conditions
		}),
	})

	keptJob = message(byNumber{
		1: workloadMeta(false), // metadata
		2: message(byNumber{ // spec
			1:  whole, // parallelism
			2:  whole, // completions
			10: whole, // suspend
		}),
		3: message(byNumber{ // status
			1: keptCondition, // conditions
			3: whole,         // completionTime
			4: whole,         // active
			5: whole,         // succeeded
			6: whole,         // failed
		}),
	})

	keptCronJob = message(byNumber{
		1: workloadMeta(false), // metadata
		2: message(byNumber{ // spec
			1: whole, // schedule
			3: whole, // concurrencyPolicy
			4: whole, // suspend
			8: whole, // timeZone
		}),
		3: message(byNumber{ // status
			1: there, // active
			4: whole, // lastScheduleTime
			5: whole, // lastSuccessfulTime
		}),
	})

	keptAutoscaler = message(byNumber{
		1: workloadMeta(false), // metadata
		2: message(byNumber{ // spec
			1: message(byNumber{1: whole, 2: whole}), // scaleTargetRef: kind, name
			2: whole,                                 // minReplicas
			3: whole,                                 // maxReplicas
			4: message(byNumber{ // metrics
				2: message(byNumber{2: keptTarget, 3: keptMetricName}), // object
				3: message(byNumber{1: keptMetricName, 2: keptTarget}), // pods
				4: message(byNumber{1: whole, 2: keptTarget}),          // resource
				5: message(byNumber{1: keptMetricName, 2: keptTarget}), // external
				7: message(byNumber{1: whole, 2: keptTarget}),          // containerResource
			}),
		}),
		3: message(byNumber{ // status
			3: whole, // currentReplicas
			4: whole, // desiredReplicas
			5: message(byNumber{ // currentMetrics
				2: message(byNumber{2: whole}), // object: current
				3: message(byNumber{2: whole}), // pods: current
				4: message(byNumber{2: whole}), // resource: current
				5: message(byNumber{2: whole}), // external: current
				7: message(byNumber{2: whole}), // containerResource: current
			}),
			6: keptOldCondition, // conditions
		}),
	})
	keptMetricName = message(byNumber{1: whole})
	keptTarget     = message(byNumber{2: whole /* value */, 3: whole /* averageValue */, 4: whole /* averageUtilization */})

	keptBudget = message(byNumber{
		1: workloadMeta(true), // metadata
		2: message(byNumber{ // spec
			1: whole, // minAvailable
			3: whole, // maxUnavailable
		}),
		3: message(byNumber{ // status
			1: whole,         // observedGeneration
			3: whole,         // disruptionsAllowed
			4: whole,         // currentHealthy
			5: whole,         // desiredHealthy
			6: whole,         // expectedPods
			7: keptCondition, // conditions
		}),
	})
)

// workloadMeta is what stays of metadata. observed says whether the kind tells which generation its controller has seen.
func workloadMeta(observed bool, annotations ...string) *keep {
	m := byNumber{
		1:  whole, // name
		3:  whole, // namespace
		5:  whole, // uid
		6:  whole, // resourceVersion
		8:  whole, // creationTimestamp
		9:  whole, // deletionTimestamp
		11: whole, // labels
		12: entries(append(annotations, metav1.InitialEventsAnnotationKey)...),
		13: message(byNumber{ // ownerReferences
			1: whole, // kind
			3: whole, // name
			6: whole, // controller
		}),
		14: whole, // finalizers
	}
	if observed {
		m[7] = whole // generation
	}
	return message(m)
}

// Conditions come in two orders of numbers.
var (
	keptCondition = message(byNumber{
		1: whole, // type
		2: whole, // status
		4: whole, // lastTransitionTime
		5: whole, // reason
		6: whole, // message
	})
	keptOldCondition = message(byNumber{
		1: whole, // type
		2: whole, // status
		3: whole, // lastTransitionTime
		4: whole, // reason
		5: whole, // message
	})
)
