internal import Yams
internal import Logging
