/// An act of a unit on a handoff (承办单位的办理反馈).
public enum HandoffAct: Sendable {
    case signed(HandoffSigned)
    case returned(HandoffReturned)
    case progressed(HandoffProgress)
    case decided(DispositionDecided)
    case caseFiled(CaseFiled)
    case caseNotified(CaseFiled)
    case concluded(HandoffConcluded)
    case resendRequested(HandoffResendRequested)
}
